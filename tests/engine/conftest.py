"""Runs for tests: finished ones written by the real writers."""

import functools
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import config
from engine.jobs.store import Store
from engine.report.evaluation import best_untrained
from engine.runs.run import Run, Stopped
from engine.runs.schema import RunInfo
from engine.stages import COMPARISONS, METRICS_TABLE, PROCESSOR_TIME, ROW_RANKS, SLICES_TABLE, UNTRAINED

ROWS = 60
OVERRIDES = ["evaluate.models=[popularity,student]", "evaluate.samples=300"]


@functools.cache
def resolved(*overrides: str) -> str:
    """The configuration that these overrides describe, as a run holds it."""
    return config.dump(config.load([*OVERRIDES, *overrides]))


class World:
    """Runs below one folder. ``finish`` adds a student and its evaluation."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.count = 0
        self.dropout = config.load(OVERRIDES).student.dropout
        self.data = self._add("data", "try", 1, [], {}, "data")

    def _add(
        self,
        stage: str,
        label: str,
        seed: int,
        overrides: list[str],
        inputs: dict[str, str],
        print: str,
        dirty: bool = False,
    ) -> str:
        self.count += 1
        run = f"{stage}-20260101-{self.count:06}-abcd"
        git = {"sha": "a" * 40, "dirty": dirty}
        info = RunInfo(run, stage, label, seed, print or run, inputs=inputs, git=git, created=float(self.count))
        self.store.create(info, resolved(f"seed={seed}", *overrides))
        if stage == "data":
            with Run.open(self.store.root / run):
                pass
        return run

    @staticmethod
    def ranks(seed: int, better: float = 0.0) -> NDArray[np.float64]:
        """Ranks of ``ROWS`` targets, the first ``better`` share of them in a third of their place."""
        drawn = np.random.default_rng(seed).integers(2, 30, ROWS).astype(np.float64)
        drawn[: int(better * ROWS)] = np.maximum(1.0, np.floor(drawn[: int(better * ROWS)] / 3))
        return drawn

    def other_data(self) -> str:
        return self._add("data", "try", 1, ["data.window=20"], {}, "other data")

    def student(
        self,
        label: str,
        seed: int,
        *overrides: str,
        values: tuple[float, ...] = (0.1, 0.2, 0.15),
        data: str = "",
        **how: Any,
    ) -> str:
        """A training whose evaluations gave these NDCGs."""
        run = self._add(
            "student", label, seed, list(overrides), {"data": data or self.data}, "", how.get("dirty", False)
        )
        with suppress(Stopped), Run.open(self.store.root / run) as open_run:
            for step, value in enumerate(values, 1):
                open_run.scalars(10 * step, {"loss": 5.0 - step})
                best = value == max(values[:step])
                open_run.evaluation(10 * step, {"val_ndcg@10": value, "val_recall@10": 2 * value}, best=best)
            if how.get("stopped"):
                raise Stopped
        return run

    def evaluate(
        self,
        label: str,
        seed: int,
        *overrides: str,
        ranks: NDArray[np.float64],
        targets: int = 0,
        data: str = "",
        student: str = "",
        named: str = "tiny",
        split: str = "leave-one-out",
        about: str = "",
        **taught: Any,
    ) -> str:
        """A finished evaluation of a student, and of models beside it (``about``: what they are), that ranked the test
        targets like this.

        Where an untrained model beyond popularity is among them, it has the comparisons of its models too.
        """
        from engine.data.sequences import Rows  # here: most tests need no torch
        from engine.evaluate import tables
        from engine.evaluate.figures import comparisons
        from engine.evaluate.measure import ALL, Measured, Protocol
        from engine.evaluate.models import Model

        student = student or self.student(label, seed, *overrides, data=data)
        inputs = {"data": data or self.data, "student": student}
        run = self._add("evaluate", label, seed, list(overrides), inputs, "")
        hide = "evaluate.hide_seen=false" not in overrides
        rows = Rows(
            np.arange(1, ROWS + 1, dtype=np.int32),
            np.zeros(ROWS, dtype=np.int64),
            (np.arange(ROWS) + targets) % ROWS,
            np.arange(ROWS),
        )
        results = [
            Measured(model, "test", Protocol(seen, ALL), own + (0 if seen else 1), np.zeros(ROWS, dtype=np.int64), None)
            for model, own in (("popularity", np.full(ROWS, 9.0)), ("student", ranks), *taught.items())
            for seen in (True, False)
        ]
        makers = {"popularity": "", "student": student} | dict.fromkeys(taught, run)
        models = [
            Model(name, {}, True, maker, 3.0 + seed, about=about if name in taught else "")
            for name, maker in makers.items()
        ]
        profile = {"name": named, "users": ROWS, "items": 99, "split": split}
        with Run.open(self.store.root / run) as open_run:
            times = {"popularity": 0.1, "student": 1.0} | dict.fromkeys(taught, 2.0)
            found = {name: {PROCESSOR_TIME: value} for name, value in times.items()}
            facts = tables.TableFacts(open_run.info, profile, models, found, Protocol(hide, ALL), (300, 1))
            table = tables.metrics(facts, results, {"test": rows}, np.ones(100))
            with open_run.output(METRICS_TABLE) as path:
                tables.write(path, table)
            halves = {"head": np.arange(ROWS) < ROWS // 2, "tail": np.arange(ROWS) >= ROWS // 2}
            with open_run.output(SLICES_TABLE) as path:
                tables.write(path, tables.by_slice(results, halves))
            with open_run.output(ROW_RANKS) as path:
                tables.write_ranks(path, results, {"test": rows})
            if set(taught) & set(UNTRAINED):
                own = {one.model: one.ranks for one in results if one.protocol.hide_seen == hide}
                found = comparisons(own, {}, best_untrained(table), 300, 1, lambda done, all: None)
                with open_run.output(COMPARISONS) as path:
                    tables.write(path, list(found))
        return run


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(scope="session")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two settings with three seeds each, the second one clearly better; for tests that only look."""
    world = World(tmp_path_factory.mktemp("runs"))
    for dropout, better in ((0.2, 0.0), (0.4, 0.9)):
        for seed in (1, 2, 3):
            label = f"drop{dropout}"
            world.evaluate(label, seed, f"student.dropout={dropout}", ranks=world.ranks(seed, better))
    return world
