"""Checks of the held-out targets against their own histories and times.

Letters: E events, R rows, L lengths of a history.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data import ties
from engine.data.profile import ORDER_OF_FILE
from engine.data.repeated_targets import repeated
from engine.data.sequences import Rows, Sequences
from engine.doctor.case import Case
from engine.doctor.check import WARN, Outcome, Unavailable, check, failed, passed

LATEST = 4  # items of a history that are shown
ODDS = 3.0  # ratio of the odds that a held-out target repeats and that a training event does, from which one may leak
CHANCE = 1e-4  # probability of so many repeats by chance, below which they are no chance
ERRORS = 3.0  # standard errors that the training's own share is taken higher, as it is an estimate too


@dataclass(frozen=True)
class Repeats:
    """Which rows repeat an item before them, for two meanings of before."""

    length: NDArray[np.int64]  # [R] of the history
    anywhere: NDArray[np.bool_]  # [R] the history holds the target
    last: NDArray[np.bool_]  # [R] the history ends with the target


MEANINGS = {"anywhere": "are in their history", "last": "are the last item of their history"}


@check(
    "target-not-in-history",
    "data",
    detects="a held-out target whose own event is inside its history",
    cause="the target's own event is part of the history: it ends one event too late",
    remedy="A row's history is items[start:stop], its target items[stop]: see engine/data/splits.py.",
)
def target_not_in_history(case: Case) -> Outcome:
    """Held-out targets repeat items no more often than training events after histories of like length do."""
    training = _training_repeats(case.sequences)
    shown = []
    for split, rows in case.rows.items():
        held = _repeats(rows)
        for name, words in MEANINGS.items():
            found, usual = getattr(held, name), _usual(training, getattr(training, name), held.length)
            share, expected = float(found.mean()) if len(found) else 0.0, float(usual.mean()) if len(usual) else 0.0
            evidence = f"{share:.1%} of {split} targets {words}, {expected:.1%} of training events"
            if _leaks(found, usual):
                row = int(np.flatnonzero(found)[0])
                history = case.titled(rows.items[max(rows.start[row], rows.stop[row] - LATEST) : rows.stop[row]])
                return failed(f"{evidence} after as long a history: {history} → {case.titled([rows.targets[row]])}")
            shown += [evidence] if name == "anywhere" else []
    return passed("; ".join(shown))


@check(
    "test-order",
    "data",
    detects="test targets picked by the order of the file, because events of one user share their time",
    cause="times are too coarse: the last of a user's events of one time is the target only because of its line",
    remedy="Give finer times. Where there are none, events of one time have no order that a model could learn.",
)
def test_order(case: Case) -> Outcome:
    """Few test targets share their time with other events of their user, and no order of items decides among them."""
    found, rows = ties.of_profile(case.profile), len(case.rows["test"])
    if found is None:
        if case.profile["order"] == ORDER_OF_FILE:
            return passed("events have no times: the order of the file is theirs")
        raise Unavailable("an older version prepared these data: engine run data --again")
    evidence = (
        f"{ties.sentence(found, rows)}; shuffled, {found.shuffled:,.0f} of them would be another event"
        if found.test
        else f"no test target of {rows:,} shares its time with another event of its user"
    )
    if not ties.many(found, rows):
        return passed(evidence)
    if not ties.by_item(found):
        return Outcome(WARN, evidence)
    return failed(
        evidence,
        "the file is sorted by item inside a time, so ids say which event is the target: figures measure the sorting",
        "Give finer times, or shuffle the events of one user and time before they are read.",
    )


def _repeats(rows: Rows) -> Repeats:
    length = rows.stop - rows.start
    last = (length > 0) & (rows.items[np.maximum(rows.stop - 1, 0)] == rows.targets)
    return Repeats(length, repeated(rows), last)


def _training_repeats(sequences: Sequences) -> Repeats:
    """Every training event but each user's first, as a row of its own."""
    start = np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))  # [E]
    stop = np.arange(len(sequences.items))
    chosen = stop > start
    return _repeats(Rows(sequences.items, start[chosen], stop[chosen], np.zeros(int(chosen.sum()), dtype=np.int64)))


def _usual(training: Repeats, found: NDArray[np.bool_], length: NDArray[np.int64]) -> NDArray[np.float64]:  # [R]
    """Share of training events that repeat after a history of each length: of lengths between two powers of two.

    Where no training history is so long, the share after the longest there are.
    """
    own, wanted = (np.log2(np.maximum(part, 1)).astype(np.int64) for part in (training.length, length))
    size = max(own.max(initial=0), wanted.max(initial=0)) + 1
    events, repeats = np.bincount(own, minlength=size), np.bincount(own[found], minlength=size)
    known = np.flatnonzero(events)
    if not len(known):
        return np.ones(len(length))  # nothing is known of habits
    nearest = known[np.maximum(np.searchsorted(known, wanted, side="right") - 1, 0)]
    share = (repeats + 1) / (events + 2)  # never 0 or 1, as few events say little
    usual = np.minimum(share + ERRORS * np.sqrt(share * (1 - share) / (events + 2)), 1)[nearest]
    result: NDArray[np.float64] = usual
    return result


def _leaks(found: NDArray[np.bool_], usual: NDArray[np.float64]) -> bool:
    """Whether so many repeats are neither chance nor the users' habit."""
    from scipy import special

    count, rows, share = int(found.sum()), len(found), float(usual.mean()) if len(usual) else 0.0
    if not count or share >= 1:
        return False
    odds = (count + 0.5) / (rows - count + 0.5) * (1 - share) / max(share, 1e-12)
    chance = float(special.bdtrc(count - 1, rows, share))  # P(at least so many)
    return odds > ODDS and chance < CHANCE
