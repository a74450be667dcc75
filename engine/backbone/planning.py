"""What a plan asks about ``backbone``. No torch: the planner imports it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.backbone.model_files import of_language_model, of_sentence_encoder
from engine.config import Config
from engine.config.settings.backbone import BackboneSettings
from engine.errors import UserError
from engine.stages import ADAPTER, LANGUAGE_MODEL


def remark(order: Sequence[str], config: Config) -> str | None:
    """That a language model is made or read and no stage of the plan uses it: a sentence encoder reads the texts."""
    settings = config.backbone
    asked = order[-1] == LANGUAGE_MODEL.stage  # the plan is for this stage: what is done with it is not known
    if asked or ADAPTER.stage in order or settings.text_model is None or settings.source == "none":
        return None
    return (
        f"no stage here uses its language model (backbone.source={settings.source}): "
        "backbone=sentence-encoder makes the text vectors alone, sooner"
    )


def content(config: Config, settings: dict[str, Any]) -> tuple[dict[str, Any], list[Path] | None]:
    """Settings and files that the fingerprint is made of: other weights under the same name are another model.

    A model that is copied into the run counts by its files, wherever they lie. UserError where they are not there.
    """
    own = config.backbone
    model, encoder = _language_model(own), [] if own.text_model is None else of_sentence_encoder(own.text_model)
    if not model and not encoder:
        return settings, None
    by_files = {"name": bool(model) and own.copy and own.quantise == "none", "text_model": bool(encoder)}
    return settings | {name: True for name, counts in by_files.items() if counts}, model + encoder


def _language_model(settings: BackboneSettings) -> list[Path]:
    if settings.source not in ("path", "gguf"):
        return []
    assert settings.name is not None  # BackboneSettings.check
    source = Path(settings.name).expanduser()
    if settings.source == "gguf" and source.is_dir():
        raise UserError(
            "this is a folder, not a GGUF file",
            location=str(source),
            remedy="Name the file in it; a folder with weights is read with backbone=path.",
        )
    return of_language_model(source)
