"""``engine stage FOLDER``: the process of one planned run, started by the supervisor.

With ``trainer.devices`` above 1 Lightning starts it once more for every further device, with a rank in the environment.
"""

import argparse
import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.jobs.stage_process import pass_gate
from engine.jobs.state import STOPPED
from engine.runs.read_only import ReadOnlyRun, rank
from engine.runs.run import Run, Stopped
from engine.runs.schema import CONFIG, RunInfo


def stage(options: argparse.Namespace) -> int:
    """Run the stage with the run's own configuration; ``Run`` records how it ended."""
    if options.gate is not None and not rank() and not _prepared(options.folder, options.gate):
        return 1
    try:
        with ReadOnlyRun(options.folder) if rank() else Run.open(options.folder) as run:
            with run.loading("import"), _no_collection():  # inside: a broken library is recorded as the run's end
                from engine import config
                from engine.training import health

                module = importlib.import_module(f"engine.{run.stage.name}.stage")
            settings = config.read(run.folder / CONFIG)
            if isinstance(run, Run):
                health.monitor(run, settings.health)
            module.run(settings, run)
    except Stopped:
        return 0 if rank() else STOPPED  # Lightning treats any other status of a helper process as a crash
    finally:
        gc.freeze()  # the interpreter's last collection would visit every object of every library: a second of nothing
    return 0


def _prepared(folder: Path, gate: int) -> bool:
    """Import what the stage needs, then wait at the gate; False when it is not going to begin."""
    with suppress(ImportError), _no_collection():  # the error is raised again when the run can record it
        importlib.import_module(f"engine.{RunInfo.read(folder).stage}.stage")
    return pass_gate(gate)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection while libraries are imported, which takes a fifth of their time: what they make stays."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
