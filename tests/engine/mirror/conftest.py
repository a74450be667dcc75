"""A run with everything that is copied, and one that was interrupted and resumed."""

from pathlib import Path

import pytest

from engine.jobs.store import Store
from engine.runs.run import Run
from tests.fixtures.event_runs import attempt, new_run

COUNTS = [[0.0, 3.0, 9.0, 0.0], [12.0, 0.0, 0.0, 0.0]]  # 2 experts, 4 bins: exact after packing


def first(run: Run) -> None:
    """Ten steps and two evaluations."""
    run.describe({"embedding": 10, "blocks": 20})
    for step in range(1, 11):
        run.scalars(step, {"loss": 1 / step, "lr": 0.5})
        run.gradients(step, 2.0, [1.0, None], None, False, [0.25, 0.5])
        if step % 5 == 0:
            run.evaluation(step, {"val_ndcg@10": step / 100}, best=True)
    run.gate(10, "q_proj", COUNTS, [0.6, 0.4], 0.67)


def second(run: Run) -> None:
    """It goes on after step 7."""
    run.resumed(7)
    run.describe({"embedding": 10, "blocks": 20})
    for step in range(8, 13):
        run.scalars(step, {"loss": -float(step)})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def finished(store: Store) -> Path:
    folder = new_run(store, "student.dropout=0.3")
    attempt(folder, first)
    return folder
