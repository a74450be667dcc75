"""Environment variables that a stage's process needs before it imports anything; a person's own values stay."""

import os
from collections.abc import Mapping
from pathlib import Path

PACKAGE = Path(__file__).parent.parent.parent


def stage_environment(given: Mapping[str, str], cores: int | None = None) -> dict[str, str]:
    """``given`` (usually ``os.environ``) completed for a stage on a machine with ``cores`` usable cores."""
    defaults = {
        "TOKENIZERS_PARALLELISM": "false",  # the tokenizers' threads do not survive a fork and warn about it
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONUNBUFFERED": "1",  # console.log shows a line when it is printed, not 8 KiB later
        "PYTHONFAULTHANDLER": "1",  # a crash in native code leaves a traceback
        "PYTHONSAFEPATH": "1",  # a random.py in the current folder does not hide the library's
        "PYTHONUTF8": "1",  # titles are printed whatever the locale says
        # One result per seed: read by CUDA's libraries when they start, so it is too late inside the stage.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }
    if (cores or usable_cores()) <= 2:
        defaults["OMP_NUM_THREADS"] = "1"  # two spinning threads on one core take fifteen times as long as one
    else:
        defaults["OMP_WAIT_POLICY"] = "PASSIVE"
    complete = defaults | dict(given)
    path = package_path(given)
    return complete | ({"PYTHONPATH": path} if path else {})


def package_path(given: Mapping[str, str]) -> str:
    """PYTHONPATH with which a process that starts in another folder finds this package; "" where none is needed."""
    paths = [path for path in given.get("PYTHONPATH", "").split(os.pathsep) if path]
    if PACKAGE.name not in ("site-packages", "dist-packages"):  # not installed as a copy
        paths.insert(0, str(PACKAGE))
    return os.pathsep.join(dict.fromkeys(paths))


def usable_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
