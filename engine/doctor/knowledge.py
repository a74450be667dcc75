"""Is what the teacher wrote down about the right rows, in our numbering, and what it says when it is asked again?

Letters: R rows, K items of a ranking, n items.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data import ids
from engine.data.sequences import Sequences
from engine.doctor.case import Case, made
from engine.doctor.outcome import NotThere, Outcome, judged
from engine.knowledge.rankings import Rankings
from engine.stages import LAST_POSITION, RANKINGS, SEQUENCES

ROWS = 4000  # rows that are looked at
AGREE = 0.9  # share of its first items that a teacher names again
COMPARED = 10  # first items
CLEARLY = 1.5  # times as many hits elsewhere: rows or ids are shifted


def rows_fit(case: Case) -> Outcome:
    """Row r is about the event it names: it hides what the user had seen by then, and no more."""
    rankings, sequences = _rankings(case)
    rows, wrong = rankings.rows.numpy(), []
    first = np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))
    outside = (rows < 0) | (rows >= len(sequences.items))
    if outside.any() or len(np.unique(rows)) != len(rows):
        return _not_aligned(
            f"{int(outside.sum())} rows are no training event, {len(rows)} rows, {len(np.unique(rows))} events"
        )
    if (rows == first[rows]).any():
        wrong.append(f"{int((rows == first[rows]).sum())} rows are users' first events, before which nothing is known")
    rows, ranked = rows[:ROWS], rankings.items[:ROWS].numpy()
    hits = {shift: _hits(rows, ranked, sequences, first, shift) for shift in (-1, 0, 1)}
    wrong += _seen(case, rankings, first[rankings.rows], sequences)
    if (last_position := _last_position(case)) is not None:
        stops = sequences.offsets[1:]
        user = np.searchsorted(stops, last_position.rows.numpy()).clip(max=len(stops) - 1)
        if not np.array_equal(stops[user], last_position.rows.numpy()) or len(np.unique(user)) != len(user):
            return _not_aligned(
                f"{len(last_position.rows):,} rows of {LAST_POSITION.file} are not the ends of as many histories"
            )
        wrong += _seen(case, last_position, sequences.offsets[user], sequences)
    told = ", ".join(f"{share:.1%} {_WHERE[shift]}" for shift, share in hits.items())
    if hits[1] > CLEARLY * hits[0] + 0.02:
        wrong.append(f"rankings know the next event better than their own: {told}")
    return (
        _not_aligned("; ".join(wrong)) if wrong else judged(True, f"{len(rankings.rows):,} rows; hits: {told}", "", "")
    )


def _seen(case: Case, rankings: Rankings, first: NDArray[np.int64], sequences: Sequences) -> list[str]:
    """What is wrong where rankings, of histories that begin at ``first`` [R], name what those hold."""
    if not case.config.knowledge.hide_seen:
        return []
    rows, ranked = rankings.rows[:ROWS].tolist(), rankings.items[:ROWS].numpy()
    finite = torch.isfinite(rankings.distances[:ROWS]).numpy()
    seen = [
        bool(np.isin(own[real], sequences.items[begin:row]).any())
        for begin, row, own, real in zip(first[:ROWS].tolist(), rows, ranked, finite, strict=True)
    ]
    if not any(seen):
        return []
    at = seen.index(True)
    shown = sequences.items[max(first[at], rows[at] - 3) : rows[at]]
    return [
        f"{sum(seen):,} of {len(rows):,} rankings hold an item of their own history, first: event {rows[at]} after "
        f"{case.named(shown)}"
    ]


_WHERE = {-1: "of the event before", 0: "of their own event", 1: "of the event after"}


def _not_aligned(evidence: str) -> Outcome:
    return judged(
        False,
        evidence,
        "rankings and training rows are shifted against each other: lines were dropped, or the data is another one",
        "Ask again: engine run knowledge --again; files from elsewhere need their train_data.csv (engine export).",
    )


def numbering_fits(case: Case) -> Outcome:
    """Ranked ids are item ids 1..n: no padding, nothing twice, not 0-based."""
    rankings, sequences = _rankings(case)
    ranked, wrong = rankings.items.numpy(), []
    low, high = int(ranked.min(initial=1)), int(ranked.max(initial=1))
    if low <= ids.PADDING or high >= ids.rows(case.items):
        wrong.append(f"ids go from {low} to {high}, not from 1 to {case.items}")
    ordered = np.sort(ranked, axis=1)
    twice = int((ordered[:, 1:] == ordered[:, :-1]).any(axis=1).sum())
    if twice:
        wrong.append(f"{twice:,} rankings name an item twice")
    rows = rankings.rows.numpy()[:ROWS]
    inside = (rows >= 0) & (rows < len(sequences.items))
    targets = sequences.items[rows[inside]]
    own, foreign = (
        float((ranked[:ROWS][inside] == as_named[:, None]).any(axis=1).mean())
        for as_named in (targets, ids.to_zero_based(targets))
    )
    told = f"{own:.1%} by our ids, {foreign:.1%} by ids from 0"
    if foreign > CLEARLY * own + 0.02:
        wrong.append(f"targets are met more often in another numbering: {told}")
    return judged(
        not wrong,
        "; ".join(wrong) or f"ids {low} to {high}; targets among the first {ranked.shape[1]}: {told}",
        "the teacher counts items from 0, or has its padding at the end",
        "Bring foreign rankings in through knowledge.files, whose reader converts them (engine/data/ids.py).",
    )


def asked_again(case: Case) -> Outcome:
    """The teacher, asked again about the first rows, says the same."""
    if case.config.knowledge.files is not None:
        raise NotThere("this knowledge was brought in files: there is no teacher to ask")
    folder = case.trained("knowledge")
    case.trained("teacher")
    before = Rankings.load(made(folder, RANKINGS))
    after = Rankings.load(made(case.rehearsal("knowledge").folder, RANKINGS))
    place = {row: at for at, row in enumerate(before.rows.tolist())}
    pairs = [(place[row], at) for at, row in enumerate(after.rows.tolist()) if row in place][:ROWS]
    if not pairs:
        raise NotThere("none of the first users was asked about")
    old, new = (torch.tensor(side) for side in zip(*pairs, strict=True))
    first, second = before.items[old, :COMPARED], after.items[new, :COMPARED]
    shared = (first[:, :, None] == second[:, None, :]).any(dim=2).float().mean(dim=1)
    return judged(
        float(shared.mean()) >= AGREE,
        f"{float(shared.mean()):.1%} of the first {first.shape[1]} items of {len(pairs):,} rows are the same",
        "rows are shifted against each other, or teacher, student or data are no longer those that were asked",
        "Ask again: engine run knowledge --again",
    )


def _rankings(case: Case) -> tuple[Rankings, Sequences]:
    """The rankings, and the training sequences that they were made about."""
    return (
        Rankings.load(case.artifact(RANKINGS)),
        Sequences.load(case.input_of("knowledge", SEQUENCES)),
    )


def _last_position(case: Case) -> Rankings | None:
    """The rankings of what follows each history, which files brought from elsewhere do not hold."""
    return None if case.config.knowledge.files is not None else Rankings.load(case.artifact(LAST_POSITION))


def _hits(
    rows: NDArray[np.int64], ranked: NDArray[np.int32], sequences: Sequences, first: NDArray[np.int64], shift: int
) -> float:
    """Share of rankings that hold the event ``shift`` places after their own, where that is of the same user."""
    place = rows + shift
    same = (place >= 0) & (place < len(sequences.items))
    same[same] &= first[place[same]] == first[rows[same]]
    targets = sequences.items[place[same]]
    return float((ranked[same] == targets[:, None]).any(axis=1).mean()) if same.any() else 0.0
