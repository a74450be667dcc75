"""What a plan asks about ``student``. No torch: the planner imports it."""

from pathlib import Path
from typing import Any

from engine.config import Config
from engine.config.settings.student import StudentSettings
from engine.errors import ConfigError
from engine.stages import Stage


def inputs(stage: Stage, config: Config) -> list[str]:
    """Stages whose runs are opened. ConfigError where several processes would train a second model."""
    one_device(config.student, config, "student")
    return list(stage.inputs)


def one_device(student: StudentSettings, config: Config, section: str) -> None:
    """ConfigError where several processes would train a second model, on validation events too."""
    if student.refit and config.trainer.devices > 1:
        raise ConfigError(
            "a student is trained again on validation events by one device alone",
            location=f"{section}.refit",
            remedy="Set trainer.devices=1, or student.refit=false.",
        )


def named(config: Config) -> dict[str, str]:
    """The finished run whose weights training goes on from."""
    former = config.student.init_from
    return {} if former is None else {"init_from": former}


def content(config: Config, settings: dict[str, Any]) -> tuple[dict[str, Any], list[Path] | None]:
    """Settings of the fingerprint: a former run counts by its own fingerprint, not by its id."""
    return ({**settings, "init_from": True} if "init_from" in settings else settings), None
