"""What a plan asks about ``knowledge``. No torch: the planner imports it."""

from pathlib import Path
from typing import Any

from engine.config import Config
from engine.knowledge.folder import present
from engine.stages import SEQUENCES, Stage


def inputs(stage: Stage, config: Config) -> list[str]:
    """Stages whose runs are opened: imported knowledge needs the data alone."""
    return list(stage.inputs) if config.knowledge.files is None else [SEQUENCES.stage]


def content(config: Config, settings: dict[str, Any]) -> tuple[dict[str, Any], list[Path] | None]:
    """Settings and files that the fingerprint is made of: of imported knowledge the content, wherever it lies."""
    if config.knowledge.files is None:
        return settings, None
    return settings | {"files": True}, present(config.knowledge.files)
