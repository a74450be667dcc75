"""Runs of tiny stages: no torch, but real folders, supervisors and processes."""

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine.runs.schema import Process, RunInfo, new_id
from engine.runs.starter import launch
from engine.runs.store import Store

# A stage as the engine runs one: 40 steps, a checkpoint every 5, exact resume, exit status 143 when it was stopped.
TRAINER = """
import json, sys, time
from pathlib import Path
from engine.runs.run import Run, Stopped
from engine.stages import STUDENT_MODEL

def work(run, pause):
    first, total = 0, 0
    if (run.checkpoints / "state.json").exists():
        first, total = json.loads((run.checkpoints / "state.json").read_text())
        run.resumed(first)
    for step in range(first + 1, 41):
        total += step
        run.scalars(step, {"loss": 1 / step})
        run.progress(step, 40, "train")
        stop = run.stop_requested or (step % 10 == 0 and run.stop_after_evaluation)
        if stop or step % 5 == 0:
            with run.checkpoint("state.json") as path:
                path.write_text(json.dumps([step, total]))
        if step % 10 == 0:
            run.evaluation(step, {"val_recall@10": step / 100}, best=True)
        if stop:
            raise Stopped
        time.sleep(pause)
    with run.output(STUDENT_MODEL) as path:
        path.write_text(str(total))

try:
    with Run.open(Path(sys.argv[1])) as run:
        work(run, float(sys.argv[2]))
except Stopped:
    sys.exit(143)
"""


def wait_until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What ``condition`` gives as soon as that is true; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
    return answer


class Bench:
    """A store and what a test needs to fill and run it."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root / "runs")
        self.scripts = root
        self.numbers = itertools.count()
        self.until = wait_until

    def create(self, stage: str = "student", **fields: Any) -> Path:
        known: dict[str, Any] = {"id": new_id(stage), "experiment": "test", "seed": 1, "fingerprint": "f" * 8}
        return self.store.create(RunInfo(stage=stage, **known | fields), "seed: 1\n")

    def command(self, folder: Path, source: str, *words: object) -> list[str]:
        """A command that runs ``source`` with the run's folder and ``words`` as its arguments."""
        script = self.scripts / f"{folder.name}-{next(self.numbers)}.py"
        script.write_text(source)
        return [sys.executable, str(script), str(folder), *map(str, words)]

    def trainer(self, folder: Path, pause: float = 0.0) -> list[str]:
        return self.command(folder, TRAINER, pause)

    def start(self, source: str, *words: object, stage: str = "student", grace: float = 30.0, **fields: Any) -> Path:
        folder = self.create(stage, **fields)
        launch(folder, self.command(folder, source, *words), grace=grace)
        return folder

    def state(self, folder: Path) -> str:
        return str(self.store.entry(folder).state)

    def ends(self, folder: Path, seconds: float = 30.0) -> str:
        """The state in which the run ends."""
        wait_until(lambda: not self.store.entry(folder).state.living, seconds)
        return self.state(folder)

    def close(self) -> None:
        """End what a failed test left at work."""
        for entry in self.store.scan():
            process = Process.read(entry.folder)
            for identity in (process.supervisor, process.stage) if process else ():
                if identity and identity.alive:
                    with suppress(ProcessLookupError):  # it ended by itself just now
                        os.kill(identity.pid, signal.SIGKILL)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
