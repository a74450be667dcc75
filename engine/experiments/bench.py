"""The speed of every stage on this machine, beside the least time of its arithmetic here.

A stage does its real work, in this process, on a shortened course: once for the time, once more under a counter of the
floating point operations of its matrix products. The floor is their number over what this machine reaches in one large
float32 product; data and other work without products have no floor. Time is CPU time, because cores are shared; on a
GPU it is wall time.
"""

import importlib
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine import config as configuration
from engine.config import Config
from engine.experiments.plan import inputs_of, pipeline
from engine.experiments.rules import rule
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo, Summary, new_id
from engine.stages import Stage

# Few steps are enough for a speed. The given overrides come after these.
SHORT = {
    "evaluate.models": "[popularity,student,teacher,distilled]",
    "evaluate.samples": "100",
    "evaluate.timed_requests": "5",
    "student.epochs": "2",
    "backbone.scratch.steps": "10",
    "teacher.rank.pretrain_epochs": "1",
    "teacher.steps": "10",
    "teacher.evaluations": "1",
    "teacher.evaluate_rows": "64",
    "knowledge.query_selection": "random",
    "knowledge.budget": "0.05",
    "distill.select": "asked",
    "distill.student.epochs": "2",
}
# The counter has no formula for the product that is added in place: shapes [N, D] x [D, M].
INPLACE_FLOPS = {torch.ops.aten.addmm_: lambda total, left, right, **_: 2 * math.prod(left) * right[1]}
SIDE, PRODUCTS = 1024, 7  # of the product that shows what the machine can do


@dataclass(frozen=True)
class Speed:
    """What one stage did. ``floor`` is in seconds; None where nothing was multiplied."""

    stage: str
    done: int
    unit: str
    seconds: float
    operations: int  # floating point operations of matrix products
    floor: float | None

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.done / self.seconds

    @property
    def share(self) -> float | None:
        """Floor over time: 1 is as fast as this machine multiplies."""
        return None if self.floor is None else self.floor / self.seconds


def shortened(overrides: Sequence[str]) -> list[str]:
    """Overrides of a short training, then the given ones; without those given, or of sections that are null."""
    typed = {one.partition("=")[0] for one in overrides}
    tree = asdict(configuration.load(overrides))
    short = [f"{name}={value}" for name, value in SHORT.items() if name not in typed and _has(tree, name)]
    return [*short, *overrides]


def _has(tree: Any, name: str) -> bool:
    """Whether ``tree`` holds the section of a setting: a language model from a folder has no ``backbone.scratch``."""
    for part in name.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True


def peak(device: str) -> float:
    """Floating point operations a second of one float32 product of two matrices [S, S], median of several."""
    a = torch.randn(SIDE, SIDE, device=device)
    b = torch.randn(SIDE, SIDE, device=device)
    taken = []
    for _ in range(PRODUCTS + 1):
        since = clock(device)
        torch.mm(a, b)
        taken.append(clock(device) - since)
    return 2 * SIDE**3 / statistics.median(taken[1:])


def clock(device: str) -> float:
    """Seconds: CPU time of this process, or wall time once a GPU has done all it was given."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def speeds(
    target: str | None, config: Config, folder: Path, device: str, report: Callable[[str], None]
) -> Iterator[Speed]:
    """Run the stages up to ``target`` below ``folder``, every one measured unless a target is named."""
    store, ids, most = Store(folder), dict[str, str](), peak(device)
    for stage in pipeline(target or "evaluate", config):
        inputs = {name: ids[name] for name in inputs_of(stage, config)}

        def once(stage: Stage = stage, inputs: Mapping[str, str] = inputs) -> tuple[str, float, int]:
            info = RunInfo(new_id(stage.name), stage.name, "bench", config.seed, "", inputs=dict(inputs))
            path = store.create(info, configuration.dump(config))
            work = importlib.import_module(f"engine.{stage.name}.stage").run
            with Run.open(path) as run:
                since = clock(device)
                work(config, run)
                seconds = clock(device) - since
            return info.id, seconds, _done(path, stage)

        report(stage.name)
        ids[stage.name], seconds, done = once()
        if target in (None, stage.name):
            with FlopCounterMode(display=False, custom_mapping=INPLACE_FLOPS) as counter:
                once()
            operations = int(counter.get_total_flops())
            floor = operations / most if operations else None
            yield Speed(stage.name, done, stage.work[1], seconds, operations, floor)


def _done(folder: Path, stage: Stage) -> int:
    """How many units of work the run at ``folder`` did, by what it wrote."""
    count = rule(stage, "work_done")
    if count is not None:
        return int(count(folder))
    summary = Summary.read(folder)
    assert summary is not None  # the run has just ended
    return int(summary.facts[stage.work[0]])
