"""``refit``: the same training of a student once more, on training and validation events, for as long as was best.

What a recommender is served with learns from every event that is known. No row is left that could choose an epoch or
judge it before the test rows, so it is another model beside the one that validation rows chose, never in its place.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config.settings.trainer import TrainerSettings
from engine.data.sequences import Rows, Sequences
from engine.runs.read_only import ReadOnlyRun
from engine.runs.run import Run, Stopped
from engine.stages import REFIT_SECONDS
from engine.student.module import HistoryStep
from engine.student.training_plan import train
from engine.training import fit
from engine.training.plan import TrainingPlan

Ints = NDArray[np.int64]


def with_validation(sequences: Sequences, rows: Rows) -> tuple[Sequences, Ints]:  # -> [E]
    """Training sequences with the targets of every user's validation rows behind them, in order; and the index there
    of each of the E training events.

    A user without a training sequence (a split over users, or over time) has the history of the first row before them.
    """
    order = np.lexsort((rows.stop, rows.users))
    users, stop = rows.users[order], rows.stop[order]
    first = np.unique(users, return_index=True)[1]
    unknown = first[~np.isin(users[first], sequences.users)]
    stretches = [np.arange(rows.start[row], rows.stop[row]) for row in order[unknown]]
    before = np.concatenate(stretches) if stretches else np.zeros(0, dtype=np.int64)
    whose = np.concatenate(
        [
            np.repeat(sequences.users, np.diff(sequences.offsets)),
            np.repeat(users[unknown], [len(one) for one in stretches]),
            users,
        ]
    )
    items = np.concatenate([sequences.items, rows.items[before], rows.items[stop]])
    kept = np.argsort(whose, kind="stable")
    known, counts = np.unique(whose, return_counts=True)
    moved = np.argsort(kept)[: len(sequences.items)]
    return Sequences(items[kept], np.concatenate([[0], counts.cumsum()]), known), moved


def train_again(module: HistoryStep, plan: TrainingPlan, trainer: TrainerSettings, run: Run, epochs: float) -> None:
    """Train a new ``module`` for ``epochs`` and keep its last weights, as another model of the run.

    After a stop it begins anew.
    """
    steps = max(1, round(epochs * plan.per_epoch))
    whole = replace(plan, steps=steps, evaluate_every=steps, patience=0)
    try:
        state = train(module, whole, trainer, Unrecorded(run), None)  # type: ignore[arg-type]
    except Stopped as stop:
        raise Stopped("stopped while it was trained on validation events too; that training starts over") from stop
    run.note(refit_steps=steps, refit_epochs=round(epochs, 3), **{REFIT_SECONDS: round(state.seconds, 3)})
    module.to(fit.device(trainer)).eval()


class Unrecorded(ReadOnlyRun):
    """A second training within a run: heartbeats and stop requests are the run's, nothing else of it is recorded."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.folder)
        self._run = run

    @property
    def stop_requested(self) -> bool:  # type: ignore[override]
        return self._run.stop_requested

    @property
    def checkpoints(self) -> Path:
        """No folder: those of the run are of its first training."""
        return self.folder / "none"

    def progress(self, done: int, total: int, phase: str, **more: Any) -> None:
        self._run.progress(done, total, "refit", **more)

    def log(self, level: str, text: str) -> None:
        self._run.log(level, text)
