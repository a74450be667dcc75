"""What a plan asks about ``data``. No torch: the planner imports it."""

from pathlib import Path
from typing import Any

from engine.config import Config
from engine.data.sources import files


def content(config: Config, settings: dict[str, Any]) -> tuple[dict[str, Any], list[Path]]:
    """Settings and files that the fingerprint is made of: the same files in another folder are the same data."""
    return {name: value for name, value in settings.items() if name != "path"}, files(config.data)
