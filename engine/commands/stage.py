"""``engine stage FOLDER``: the process that does the work of one planned run. Started by the supervisor."""

import argparse
import importlib

from engine.runs.run import Run, Stopped
from engine.runs.schema import CONFIG
from engine.runs.state import STOPPED


def stage(options: argparse.Namespace) -> int:
    """Read the run's own configuration and do its stage; ``Run`` records how it ended."""
    try:
        with Run.open(options.folder) as run:
            from engine import config  # inside, so that a broken configuration is recorded as the run's end

            settings = config.read(run.folder / CONFIG)
            importlib.import_module(f"engine.{run.stage.name}.stage").run(settings, run)
    except Stopped:
        return STOPPED
    return 0
