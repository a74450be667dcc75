"""Section ``stages`` of ``gpu.py``: the pipeline as a person runs it, shortened, with what a GPU turns on by itself."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired, run

from gpu_counting import Row

from engine.experiments.bench import SHORT
from engine.jobs.store import Store
from engine.runs.schema import EVENTS, Exit, Process, RunInfo, Summary

# On a GPU the demo's world and models; a processor shows only that the section runs.
GPU = ["trainer=gpu", "teacher.steps=60", "teacher.batch_tokens=auto", "knowledge.batch_tokens=auto"]
GPU += ["student.epochs=6", "distill.student.epochs=6"]
TINY = ["trainer=cpu", "data.world.users=60", "data.world.items=80", "data.world.series=20", "student.hidden=16"]
TINY += ["backbone.scratch.width=16", "backbone.scratch.layers=1", "backbone.scratch.feedforward=16", "teacher.steps=2"]
TINY += ["backbone.scratch.steps=2", "student.epochs=1", "distill.student.epochs=1", "distill.student.hidden=16"]
TINY += ["knowledge.top=10", "trainer.report_every=1"]
FACTS = {  # of a run's summary -> unit
    "batch_tokens": "tokens a batch, found by auto",
    "replayed_shapes": "shapes captured",
    "batches_not_replayed": "batches not replayed",
    "rows_per_second": "rows/s",
    "ms_per_request_gpu": "ms a request, on the GPU",
    "ms_per_request": "ms a request",
}
SPEEDS = ("positions_per_second", "tokens_per_second")  # reported while it trained


def stages(cuda: bool) -> Iterator[Row]:
    """Seconds of every stage, from its start to its first report, and what its run noted."""
    short = {key: value for key, value in SHORT.items() if key != "distill.select"}
    words = [*(f"{key}={value}" for key, value in short.items()), *(GPU if cuda else TINY)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "engine", "run", "evaluate", *words, "--runs", folder]
        store, failure = Store(Path(folder)), ""
        try:
            done = run(command, capture_output=True, text=True, timeout=120 if cuda else 600, check=False)
            if done.returncode:
                failure = f"exit status {done.returncode}: {done.stderr[-2000:] or done.stdout[-2000:]}"
        except TimeoutExpired as error:
            failure = str(error)
            for entry in reversed(store.scan()):
                if entry.state.living:
                    store.stop(entry, "kill")
        for entry in sorted(store.scan(), key=lambda entry: entry.info.created):
            yield from stage_rows(entry.folder)
        if failure:
            raise RuntimeError(f"the pipeline did not end well: {failure}")


def stage_rows(folder: Path) -> Iterator[Row]:
    """What one run shows."""
    name, end, process, summary = (
        RunInfo.read(folder).stage,
        Exit.read(folder),
        Process.read(folder),
        Summary.read(folder),
    )
    if end is not None:
        yield Row(f"{name}, whole", end.wall, "s")
    if process is not None and (first := first_report(folder)) is not None:
        yield Row(f"{name}, from the start of its process to its first report", first - process.t, "s")
    if summary is None:
        return
    for speed in SPEEDS:
        if speed in summary.last:
            yield Row(f"{name}, {speed.replace('_', ' ')}", float(summary.last[speed]), "/s")
    for fact, unit in FACTS.items():
        if isinstance(value := summary.facts.get(fact), int | float):
            yield Row(f"{name}, {fact}", float(value), unit)


def first_report(folder: Path) -> float | None:
    """When a run reported its first step; None for a stage that does not train."""
    for line in (folder / EVENTS).read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["k"] == "s":
            return float(event["t"])
    return None
