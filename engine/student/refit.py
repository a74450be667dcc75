"""``student.refit``: the same training once more, on training and validation events, for as long as was best.

What a recommender is served with learns from every event that is known. No row is left that could choose an epoch or
judge it before the test rows, so it is another model beside the one that validation rows chose, never in its place.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.config import Config
from engine.data.sequences import Rows, Sequences
from engine.runs.read_only import ReadOnlyRun
from engine.runs.run import Run, Stopped
from engine.stages import REFIT_SECONDS
from engine.student.model import SequenceModel
from engine.student.module import StudentModule
from engine.student.training_plan import plan_of, sampler_of
from engine.training import fit


def with_validation(sequences: Sequences, rows: Rows) -> Sequences:
    """Training sequences with the targets of every user's validation rows behind them, in order.

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
    return Sequences(items[kept], np.concatenate([[0], counts.cumsum()]), known)


def train_again(model: SequenceModel, config: Config, run: Run, sequences: Sequences, epochs: float) -> None:
    """Train a new ``model`` for ``epochs`` on ``sequences`` and keep its last weights; after a stop it begins anew."""
    settings, device = config.student, fit.device(config.trainer)
    sampler = sampler_of(settings, sequences, device, same_shapes=config.trainer.cuda_graph == "true")
    steps = max(1, round(epochs * sampler.per_epoch))
    try:
        state = fit.fit(
            StudentModule(model, settings, sampler),
            replace(plan_of(settings, sampler.per_epoch), steps=steps, evaluate_every=steps, patience=0),
            config.trainer,
            Unrecorded(run),  # type: ignore[arg-type]
            groups=model.groups(),
            evaluate=None,
            positions=sampler.positions,
        )
    except Stopped as stop:
        raise Stopped("stopped while it was trained on validation events too; that training starts over") from stop
    run.note(refit_steps=steps, refit_epochs=round(epochs, 3), **{REFIT_SECONDS: round(state.seconds, 3)})
    model.to(device).eval()


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
