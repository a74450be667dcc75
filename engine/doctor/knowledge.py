"""Checks of the stored rankings: they belong to their rows, use our ids, and can be reproduced.

Letters: R rows, K items of a ranking, n items.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from engine.data import ids
from engine.data.sequences import Sequences
from engine.doctor.case import Case, artifact_of
from engine.doctor.check import Outcome, Unavailable, check, failed, judged, without
from engine.knowledge.blend import Blend, names_and_weights
from engine.knowledge.held_out import named
from engine.knowledge.rankings import Rankings, seen_before, top_items
from engine.knowledge.untrained_part import UntrainedPart
from engine.stages import BASELINE, ITEMS, LAST_POSITION, RANKINGS, SEQUENCES, TEACHER, TEACHER_HELD_OUT, Artifact

ROWS = 4000  # rows that are examined
AGREE = 0.9  # share of the first items that the teacher has to reproduce
COMPARED = 10  # first items
CLEARLY = 1.5  # ratio of hits elsewhere to hits at the right place from which rows or ids are shifted
MARGIN = 0.02  # and their least difference
ERRORS = 3.0  # standard errors, over users and over items, that the difference of another numbering has to exceed
SHIFTS = {-1: "previous event", 0: "own event", 1: "next event"}


@check(
    "rankings-match-rows",
    "knowledge",
    detects="rankings that are shifted against their training rows",
    cause="rankings and training rows are shifted against each other: rows were dropped, or the data differs",
    remedy="Make them again: engine run knowledge --again; imported files need their train_data.csv (engine export).",
)
def rankings_match_rows(case: Case) -> Outcome:
    """Row r is about the event it names: its ranking leaves out the user's items before it, and no more."""
    rankings, sequences = _rankings(case)
    rows, faults = rankings.rows.numpy(), []
    first = np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))
    outside = (rows < 0) | (rows >= len(sequences.items))
    if outside.any() or len(np.unique(rows)) != len(rows):
        return failed(
            f"{int(outside.sum())} rows are no training event, {len(rows)} rows, {len(np.unique(rows))} events"
        )
    if (rows == first[rows]).any():
        faults.append(f"{int((rows == first[rows]).sum())} rows are users' first events, which have no history")
    rows, ranked = rows[:ROWS], rankings.items[:ROWS].numpy()
    hits = {shift: _hits(rows, ranked, sequences, first, shift) for shift in SHIFTS}
    faults += _seen(case, rankings, first[rankings.rows], sequences)
    # imported files hold no rankings of what follows a whole history
    if case.config.knowledge.files is None:
        last = Rankings.load(case.artifact(LAST_POSITION))
        stops = sequences.offsets[1:]
        user = np.searchsorted(stops, last.rows.numpy()).clip(max=len(stops) - 1)
        if not np.array_equal(stops[user], last.rows.numpy()) or len(np.unique(user)) != len(user):
            return failed(f"{len(last.rows):,} rows of {LAST_POSITION.file} are not the ends of as many histories")
        faults += _seen(case, last, sequences.offsets[user], sequences)
    shares = "targets in the rankings: " + ", ".join(f"{name} {hits[shift]:.1%}" for shift, name in SHIFTS.items())
    if hits[1] > CLEARLY * hits[0] + MARGIN:
        faults.append(f"rankings hold the next event more often than their own; {shares}")
    return without(faults, f"{len(rankings.rows):,} rows; {shares}")


def _seen(case: Case, rankings: Rankings, first: NDArray[np.int64], sequences: Sequences) -> list[str]:
    """The fault that rankings of histories, which begin at ``first`` [R], hold items of these histories."""
    if not case.hides_seen(case.config.knowledge.hide_seen):
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
        f"{case.titled(shown)}"
    ]


def _hits(
    rows: NDArray[np.int64], ranked: NDArray[np.int32], sequences: Sequences, first: NDArray[np.int64], shift: int
) -> float:
    """Share of rankings that hold the event ``shift`` positions after their own, where that is of the same user."""
    event = rows + shift
    same = (event >= 0) & (event < len(sequences.items))
    same[same] &= first[event[same]] == first[rows[same]]
    targets = sequences.items[event[same]]
    return float((ranked[same] == targets[:, None]).any(axis=1).mean()) if same.any() else 0.0


@check(
    "ranking-ids",
    "knowledge",
    detects="ids counted from 0, the padding, or an item twice in a ranking",
    cause="the teacher counts items from 0, or has its padding at the end",
    remedy="Import foreign rankings with knowledge.files, whose reader converts the ids (engine/data/ids.py).",
)
def ranking_ids(case: Case) -> Outcome:
    """Ranked ids are item ids 1..n: no padding, no duplicate, not counted from 0."""
    rankings, sequences = _rankings(case)
    ranked, faults = rankings.items.numpy(), []
    real = torch.isfinite(rankings.distances).numpy()  # what is hidden may fill the end, the padding among it
    low, high = int(ranked[real].min(initial=1)), int(ranked[real].max(initial=1))
    if low <= ids.PADDING or high >= ids.rows(case.items):
        faults.append(f"ids go from {low} to {high}, not from 1 to {case.items}")
    ordered = np.sort(np.where(real, ranked, -1 - np.arange(ranked.shape[1])), axis=1)
    twice = int((ordered[:, 1:] == ordered[:, :-1]).any(axis=1).sum())
    if twice:
        faults.append(f"{twice:,} rankings hold an item twice")
    rows = rankings.rows.numpy()[:ROWS]
    inside = (rows >= 0) & (rows < len(sequences.items))
    targets, shown = sequences.items[rows[inside]], ranked[:ROWS][inside]
    users = np.searchsorted(sequences.offsets, rows[inside], side="right")
    ours, others = (shown == numbers[:, None] for numbers in (targets, ids.to_zero_based(targets)))  # [R, K]
    own, foreign = (float(found.any(axis=1).mean()) for found in (ours, others))
    shares = f"{own:.1%} by our ids, {foreign:.1%} by ids from 0"
    difference = others.astype(np.int64) - ours
    error = np.hypot(_error(difference.sum(axis=1), users), _error(difference, shown))
    if foreign > CLEARLY * own + MARGIN and difference.sum() > ERRORS * error:
        faults.append(f"targets match more often in another numbering: {shares}")
    return without(faults, f"ids {low} to {high}; targets among the first {ranked.shape[1]}: {shares}")


def _error(parts: NDArray[np.int64], clusters: NDArray[Any]) -> float:  # of like shapes
    """Standard error of a sum whose parts depend on each other inside a cluster alone.

    An untrained teacher ranks much the same items for all: which ids they have decides, and rows say nothing about it.
    """
    _, index = np.unique(clusters, return_inverse=True)
    return float(np.sqrt(np.square(np.bincount(index.reshape(-1), weights=parts.reshape(-1))).sum()))


@check(
    "rankings-reproducible",
    "knowledge",
    detects="rankings that this teacher does not give for these rows",
    cause="rows are shifted against each other, or teacher, student or data differ from those that made the rankings",
    remedy="Make them again: engine run knowledge --again",
)
def rankings_reproducible(case: Case) -> Outcome:
    """The teacher ranks the first rows as stored."""
    return _asked_again(case, RANKINGS)


@check(
    "last-position-reproducible",
    "knowledge",
    detects="last-position targets that this teacher does not give behind these histories",
    cause="rankings of last positions belong to other users, or teacher, student or data differ from those that made "
    "them",
    remedy="Make them again: engine run knowledge --again",
)
def last_position_reproducible(case: Case) -> Outcome:
    """The teacher ranks what follows the first users' histories as stored."""
    return _asked_again(case, LAST_POSITION)


def _asked_again(case: Case, artifact: Artifact) -> Outcome:
    """Stored rankings beside those of a dry run."""
    if case.config.knowledge.files is not None:
        raise Unavailable("this knowledge was imported: there is no teacher to run")
    folder = case.trained("knowledge")
    if TEACHER in case.config.knowledge.models:
        case.trained("teacher")
    if BASELINE in case.config.knowledge.models:
        case.trained("student")
    before = Rankings.load(artifact_of(folder, artifact))
    after = _ranked_again(case, before, artifact)
    index = {row: at for at, row in enumerate(before.rows.tolist())}
    pairs = [(index[row], at) for at, row in enumerate(after.rows.tolist()) if row in index][:ROWS]
    if not pairs:
        raise Unavailable(f"no ranking of {artifact.file} is about one of the first users")
    old, new = (torch.tensor(side) for side in zip(*pairs, strict=True))
    first, second = before.items[old, :COMPARED], after.items[new, :COMPARED]
    shared = float((first[:, :, None] == second[:, None, :]).any(dim=2).float().mean(dim=1).mean())
    return judged(
        shared >= AGREE, f"{shared:.1%} of the first {first.shape[1]} items of {len(pairs):,} rows are the same"
    )


def _ranked_again(case: Case, before: Rankings, artifact: Artifact) -> Rankings:
    """The first rankings as a dry run gives them; of models without training, which count all data, from all data."""
    settings = case.config.knowledge
    if not settings.untrained:
        return Rankings.load(artifact_of(case.dry_run("knowledge").folder, artifact))
    if settings.trained:
        raise Unavailable(f"{settings.untrained[0]} counts all data, and a dry run of the others sees a part of them")
    data = [case.input_of("knowledge", one) for one in (SEQUENCES, ITEMS)]
    part = UntrainedPart.of(case.model_weights or names_and_weights(settings), *data)
    last, sequences = before.rows[:ROWS].numpy() - 1, Sequences.load(data[0])
    seen = seen_before(sequences, last, "cpu") if case.hides_seen(settings.hide_seen) else None
    nothing = Blend([], [], case.items)
    queries, added = torch.zeros(len(last), 0), part.after_events(sequences, last, "cpu")
    return Rankings(before.rows[:ROWS], *top_items(queries, nothing.table, None, seen, before.items.shape[1], added))


@check(
    "popularity-from-training",
    "knowledge",
    detects="popularity that corrects generated titles and was not counted on training rows alone",
    cause="held-out events were counted too, or other data",
    remedy="Make it again: engine run knowledge --again; counts are of the training sequences.",
)
def popularity_from_training(case: Case) -> Outcome:
    """The popularity stored for grounding is the number of training events of each item."""
    stored = named(load_file(case.artifact(TEACHER_HELD_OUT)))
    if "gamma" not in stored:
        raise Unavailable("this teacher scores items without their popularity")
    counts = np.bincount(Sequences.load(case.input_of("knowledge", SEQUENCES)).items, minlength=ids.rows(case.items))
    off = np.flatnonzero(stored["popularity"].numpy() != counts)
    first = int(off[0]) if len(off) else 0
    return judged(
        not len(off),
        f"{len(off):,} items, first {case.titled([first])}: {float(stored['popularity'][first]):g} stored, "
        f"{int(counts[first])} training events"
        if len(off)
        else f"{int(counts.sum()):,} training events of {case.items:,} items",
    )


def _rankings(case: Case) -> tuple[Rankings, Sequences]:
    """The rankings, and the training sequences that they are about."""
    return Rankings.load(case.artifact(RANKINGS)), Sequences.load(case.input_of("knowledge", SEQUENCES))
