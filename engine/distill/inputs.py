"""What distillation learns from: training sequences, and what the teacher wrote down about their events.

Letters: n items, H width of the teacher's item vectors.
"""

from dataclasses import dataclass, replace

import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.config.settings.distill import DistillSettings
from engine.data.sequences import Rows, Sequences
from engine.errors import DataError
from engine.knowledge.rankings import Rankings, joined
from engine.runs.run import Run
from engine.stages import ITEM_VECTORS, LAST_POSITION, RANKINGS, RANKINGS_REFIT
from engine.student.refit import with_validation


@dataclass(frozen=True)
class DistillInputs:
    """Sequences, and the teacher's rankings of their events and vectors of their items."""

    sequences: Sequences
    rankings: Rankings
    last_position: Rankings | None  # of what follows the last events; None: not learned from
    vectors: Tensor  # [n + 1, H]
    again: Rankings | None = None  # of training and validation events, where the knowledge has them

    @classmethod
    def load(cls, settings: DistillSettings, sequences: Sequences, run: Run) -> "DistillInputs":
        """The knowledge of a run, as far as the settings use it, with notes of how much there is.

        DataError where ``distill.select=all`` and rows are missing.
        """
        vectors = load_file(run.input(ITEM_VECTORS))["vectors"]
        counted_again = settings.student.refit and run.has(RANKINGS_REFIT)
        again = Rankings.load(run.input(RANKINGS_REFIT)) if counted_again else None
        return cls(sequences, _rankings(settings, sequences, run), _last_position(settings, run), vectors, again)

    def with_validation(self, rows: Rows) -> "DistillInputs":
        """The same with the targets of validation rows in the sequences, and the rankings that count these.

        Where there are none, a ranking after the last training event is one of the event that follows it, if any does.
        """
        sequences, moved = with_validation(self.sequences, rows)
        known, last = self.again, self.last_position
        if known is None:
            at = torch.from_numpy(moved)
            known = replace(self.rankings, rows=at[self.rankings.rows])
            known = known if last is None else joined(known, replace(last, rows=at[last.rows - 1] + 1))
        of_events, of_ends = known.at_ends(sequences)
        of_last = None if last is None or not len(of_ends.rows) else of_ends
        return DistillInputs(sequences, of_events, of_last, self.vectors)


def _rankings(settings: DistillSettings, sequences: Sequences, run: Run) -> Rankings:
    rankings = Rankings.load(run.input(RANKINGS))
    events = len(sequences.items) - len(sequences)  # all but each user's first
    run.note(answered=len(rankings.rows), answered_share=len(rankings.rows) / max(1, events))
    if settings.select == "all" and len(rankings.rows) < events:
        raise DataError(
            f"the teacher answered {len(rankings.rows)} of {events} training rows",
            location="distill.select = all",
            remedy="Choose distill.select=asked, or ask about every row: knowledge=all.",
        )
    top, written = settings.ranked_items, rankings.items.shape[1]
    if written < top:
        run.log("warning", f"the knowledge holds {written} items a row; distill asks for {top}")
    return rankings


def _last_position(settings: DistillSettings, run: Run) -> Rankings | None:
    """Rankings after the last event of each history, where they have a weight and exist."""
    if not settings.last_position:
        return None
    rankings = Rankings.load(run.input(LAST_POSITION)) if run.has(LAST_POSITION) else None
    if rankings is None or not len(rankings.rows):
        run.log(
            "warning",
            "the knowledge holds no last-position targets, so distill.last_position has no effect: files imported by "
            "knowledge.files hold training rows only, and knowledge.last_position=false leaves them out",
        )
        return None
    run.note(last_position_answered=len(rankings.rows))
    return rankings
