"""What a plan asks about ``backbone``. No torch: the planner imports it."""

from collections.abc import Sequence

from engine.config import Config
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
