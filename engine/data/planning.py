"""What a plan asks about ``data``. No torch: the planner imports it."""

from pathlib import Path
from typing import Any

from engine.config import Config
from engine.data.sources import files


def named(config: Config) -> dict[str, str]:
    """The finished run whose ids are kept."""
    return {} if config.data.known is None else {"known": config.data.known}


def content(config: Config, settings: dict[str, Any]) -> tuple[dict[str, Any], list[Path]]:
    """Settings and files that the fingerprint is made of: the same files in another folder are the same data.

    A former run whose ids are kept counts by its own fingerprint, not by its id.
    """
    kept = {name: True if name == "known" else value for name, value in settings.items() if name != "path"}
    return kept, files(config.data)
