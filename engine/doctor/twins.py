"""Histories that users of several parts of a split share. Letters: E events, R rows, U users, n items."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.sequences import Rows, Sequences
from engine.data.stretches import histories
from engine.doctor.case import Case
from engine.doctor.check import FAIL, WARN, Outcome, Unavailable, check, passed

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SHORTEST = 2  # items of a history that can be a copy
BACKOFF = 5.0  # events for which an item's own share counts in the share of an item after another
SAFETY = 10.0  # times that chance is taken larger, as users are not a chain
CHANCE = 1e-4  # probability below which so many equal histories are no chance
IMPOSSIBLE = 1e-6  # expected number of users with this history below which one is a copy
FEW = 2  # copies from which there is a fault
MANY = 0.01  # share of the rows above which figures are wrong


@check(
    "equal-histories",
    "data",
    detects="users of held-out rows whose histories are also those of users that are trained on",
    cause="the same users are in several parts of the split under several ids, or rows were copied",
    remedy="Remove users with equal histories before the split, or split by time (data.split=temporal).",
)
def equal_histories(case: Case) -> Outcome:
    """No more users of held-out rows have the history of a trained user than chance gives."""
    if case.profile["split"] not in ("users", "given"):
        raise Unavailable("this split holds out events, not users")
    sequences, found, shown = case.sequences, list[Outcome](), []
    for split, rows in case.rows.items():
        own = histories(rows)
        copies = _copies(sequences, own)
        shown.append(f"{int(copies.equal.sum())} of {len(rows):,} {split} histories")
        if copies.beyond_chance:
            example = int(np.flatnonzero(copies.counted)[0])
            titles = case.titled(own.items[own.offsets[example] : own.offsets[example + 1]][:4])
            targets = int((copies.equal & _same_target(sequences, rows, copies)).sum())
            evidence = (
                f"{int(copies.equal.sum()):,} of {len(rows):,} {split} users have the history of a trained user, "
                f"{targets:,} of them the same target too; by chance {copies.expected:.2g} would. First: {titles}"
            )
            found.append(Outcome(FAIL if copies.equal.mean() > MANY else WARN, evidence))
    worst = [one for one in found if one.verdict == FAIL] or found
    return worst[0] if worst else passed(f"{', '.join(shown)} are those of trained users, no more than chance gives")


@dataclass(frozen=True)
class EqualHistories:
    """Which histories begin a training sequence, and what chance would give."""

    equal: NDArray[np.bool_]  # [R]
    counted: NDArray[np.bool_]  # [R] those that speak for a copy
    event: Ints  # [R] the training event that ends the equal part, -1 where there is none
    expected: float
    beyond_chance: bool


def _copies(sequences: Sequences, own: Sequences) -> EqualHistories:
    """``own``: histories of held-out users."""
    from scipy import special

    lengths = np.diff(own.offsets)
    if not len(own.items) or not len(sequences.items):
        nothing = np.zeros(len(own), dtype=bool)
        return EqualHistories(nothing, nothing, np.full(len(own), -1), 0.0, False)
    ends = np.maximum(own.offsets[1:] - 1, 0)
    event = _begins(sequences, own)
    event[lengths < SHORTEST] = -1
    equal = event >= 0
    if not equal.any():
        return EqualHistories(equal, equal, event, 0.0, False)
    others = np.setdiff1d(np.arange(len(sequences)), np.searchsorted(sequences.offsets, event[equal], side="right") - 1)
    logs = _log_probability(_some(sequences, others), own)
    whole = np.concatenate([[0.0], np.cumsum(logs)])
    users = np.diff(sequences.offsets)
    longer = len(users) - np.searchsorted(np.sort(users), lengths)  # users whose sequences are as long
    per_row = longer * np.exp(whole[ends + 1] - whole[own.offsets[:-1]])  # [R] expected equal ones
    expected = SAFETY * float(np.minimum(per_row, 1.0)[lengths >= SHORTEST].sum())
    impossible = equal & (SAFETY * per_row < IMPOSSIBLE)
    if int(impossible.sum()) >= FEW:
        return EqualHistories(equal, impossible, event, expected / SAFETY, True)
    usual, count = _usual(sequences, lengths), int(equal.sum())
    unusual = count / len(own) > 3 * usual and special.bdtrc(count - 1, len(own), min(1.0, usual)) < CHANCE
    by_chance = float(special.pdtrc(count - 1, expected)) if expected else 0.0
    return EqualHistories(equal, equal, event, expected / SAFETY, count >= FEW and unusual and by_chance < CHANCE)


def _begins(sequences: Sequences, own: Sequences) -> Ints:  # -> [R]
    """The event that ends the beginning of a training sequence which is equal to each history; -1 where none is."""
    marks, wanted = (_prefixes(part) for part in (sequences, own))
    order = np.argsort(marks, kind="stable")
    ends = own.offsets[1:] - 1
    filled = np.diff(own.offsets) > 0
    at = np.minimum(np.searchsorted(marks[order], wanted[np.maximum(ends, 0)]), len(marks) - 1)
    event = order[at]
    return np.where(filled & (marks[event] == wanted[np.maximum(ends, 0)]), event, -1)


def _prefixes(sequences: Sequences) -> NDArray[np.uint64]:  # -> [E]
    """A number for the beginning of each sequence that ends with each event; the same for equal ones."""
    first = np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))
    order = np.arange(len(sequences.items)) - first
    terms = _random(1, sequences.items) * _random(2, order)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    result: NDArray[np.uint64] = sums[1:] - sums[first]
    return result


def _random(seed: int, index: NDArray[Any]) -> NDArray[np.uint64]:
    """A random odd number for each index, the same for the same one."""
    draw = np.random.default_rng(seed).integers(0, 2**63, int(index.max(initial=0)) + 1, dtype=np.uint64)
    result: NDArray[np.uint64] = (draw | np.uint64(1))[index]
    return result


def _log_probability(training: Sequences, own: Sequences) -> Floats:  # -> [E]
    """Of each event of ``own``: an item after another as often as in training, and as often as the item at all."""
    size = int(max(training.items.max(initial=0), own.items.max(initial=0))) + 1
    counts = np.bincount(training.items, minlength=size) + 1.0
    share = counts / counts.sum()
    pairs, before = _pairs(training, size)
    kinds, number = np.unique(pairs, return_counts=True)
    wanted, previous = _pairs(own, size)
    at = np.minimum(np.searchsorted(kinds, wanted), max(0, len(kinds) - 1))
    seen = np.where(kinds[at] == wanted, number[at], 0) if len(kinds) else np.zeros(len(wanted))
    total = np.bincount(before, minlength=size)[previous]
    logs: Floats = np.log(share[own.items])
    inside = np.ones(len(own.items), dtype=bool)
    inside[own.offsets[:-1][np.diff(own.offsets) > 0]] = False  # a first item follows none
    logs[inside] = np.log((seen + BACKOFF * share[own.items[inside]]) / (total + BACKOFF))
    return logs


def _pairs(sequences: Sequences, size: int) -> tuple[Ints, Ints]:
    """A number for every event and the one before it, and the item before it."""
    inside = np.ones(len(sequences.items), dtype=bool)
    inside[sequences.offsets[:-1][np.diff(sequences.offsets) > 0]] = False
    at = np.flatnonzero(inside)
    before = sequences.items[at - 1].astype(np.int64)
    return before * size + sequences.items[at], before


def _usual(sequences: Sequences, lengths: Ints) -> float:
    """Share of training users whose beginning, of the lengths of these histories, another training user has."""
    marks = _prefixes(sequences)
    _, inverse, number = np.unique(marks, return_inverse=True, return_counts=True)
    users = np.diff(sequences.offsets)
    drawn = np.random.default_rng(0).choice(lengths[lengths >= SHORTEST], len(users))
    fits = users >= drawn
    if not fits.any():
        return 0.0
    ends = (sequences.offsets[:-1] + drawn - 1)[fits]
    return float((number[inverse.reshape(-1)[ends]] > 1).mean())


def _same_target(sequences: Sequences, rows: Rows, copies: EqualHistories) -> NDArray[np.bool_]:  # -> [R]
    """Whether the equal training sequence goes on with the row's target."""
    following = np.minimum(copies.event + 1, len(sequences.items) - 1)
    inside = ~np.isin(copies.event + 1, sequences.offsets)
    result: NDArray[np.bool_] = inside & (sequences.items[following] == rows.targets)
    return result


def _some(sequences: Sequences, chosen: Ints) -> Sequences:
    """The sequences of some users."""
    lengths = np.diff(sequences.offsets)[chosen]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    index = np.arange(offsets[-1]) + np.repeat(sequences.offsets[:-1][chosen] - offsets[:-1], lengths)
    return Sequences(sequences.items[index], offsets, sequences.users[chosen])
