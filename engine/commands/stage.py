"""``engine stage FOLDER``: the process of one planned run, started by the supervisor.

With ``trainer.devices`` above 1 Lightning starts it once more for every further device, with a rank in the environment.
"""

import argparse
import importlib

from engine.jobs.state import STOPPED
from engine.runs.read_only import ReadOnlyRun, rank
from engine.runs.run import Run, Stopped
from engine.runs.schema import CONFIG


def stage(options: argparse.Namespace) -> int:
    """Run the stage with the run's own configuration; ``Run`` records how it ended."""
    try:
        with ReadOnlyRun(options.folder) if rank() else Run.open(options.folder) as run:
            from engine import config  # inside: a broken configuration is recorded as the run's end
            from engine.training import health

            settings = config.read(run.folder / CONFIG)
            if isinstance(run, Run):
                health.monitor(run, settings.health)
            importlib.import_module(f"engine.{run.stage.name}.stage").run(settings, run)
    except Stopped:
        return 0 if rank() else STOPPED  # Lightning treats any other status of a helper process as a crash
    return 0
