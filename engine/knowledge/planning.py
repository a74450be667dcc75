"""What a plan asks about ``knowledge``. No torch: the planner imports it."""

from pathlib import Path
from typing import Any

from engine.config import Config
from engine.errors import ConfigError
from engine.knowledge.folder import present
from engine.stages import BASELINE, SEQUENCES, STUDENT_MODEL, TEACHER, TEXT_VECTORS, Stage


def inputs(stage: Stage, config: Config) -> list[str]:
    """Stages whose runs are opened: imported knowledge needs the data alone, students no language model."""
    settings = config.knowledge
    if settings.files is not None:
        return [SEQUENCES.stage]
    if TEACHER in settings.models:
        if len(settings.models) > 1 and config.teacher.objective != "rank":
            raise ConfigError(
                "a teacher that generates titles scores no catalogue, so it cannot be mixed with other models",
                location="knowledge.models",
                remedy="Name it alone (knowledge.models=[teacher]), or choose teacher=rank.",
            )
        return list(stage.inputs)
    wanted = {SEQUENCES.stage}
    wanted |= {STUDENT_MODEL.stage} if BASELINE in settings.models else set()
    wanted |= {TEXT_VECTORS.stage} if settings.vectors_of == "text" else set()
    return [name for name in stage.inputs if name in wanted]


def named(config: Config) -> dict[str, str]:
    """Name among the inputs -> id of finished runs whose models are opened beside those of the plan."""
    settings = config.knowledge
    runs = [name for name in settings.trained if name not in (BASELINE, TEACHER)] if settings.files is None else []
    return {f"model {number}": run for number, run in enumerate(runs, start=1)}


def content(config: Config, settings: dict[str, Any]) -> tuple[dict[str, Any], list[Path] | None]:
    """Settings and files that the fingerprint is made of: of imported knowledge the content, wherever it lies."""
    if config.knowledge.files is None:
        return settings, None
    return settings | {"files": True}, present(config.knowledge.files)
