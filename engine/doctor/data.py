"""Is what is learned from what it should be? Ids, titles, splits, targets.

Letters: E events, U users, R rows, n items.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.data import ids
from engine.data.sequences import Rows, Sequences
from engine.doctor.case import Case
from engine.doctor.outcome import Outcome, failed, judged, passed, warned
from engine.stages import ITEMS
from engine.student.training_plan import sampler_of

SHOWN, LATEST = 3, 4  # windows of the first batch that are shown, and positions of each
REPEATS = 0.05  # share of held-out targets known already beyond what training events repeat by themselves
UNTITLED = 0.5  # share of items without a title above which titles are missing


def first_batches(case: Case) -> Outcome:
    """The first batches as a person reads them: each position's item, and the one that has to follow."""
    sequences, sampler = case.sequences, sampler_of(case.config.student, case.sequences, "cpu")
    shown, wrong = [], 0
    last = np.zeros(len(sequences.items), dtype=bool)
    last[sequences.offsets[1:] - 1] = True
    for step in range(min(4, sampler.per_epoch)):
        batch = sampler(step)
        real = np.ones(len(batch.targets), dtype=bool) if batch.weights is None else batch.weights.cpu().numpy() > 0
        item, target, event = (part.cpu().numpy()[real] for part in (batch.items, batch.targets, batch.events))
        inside = (event >= 1) & (event < len(sequences.items))
        place = np.where(inside, event, 1)
        follows = inside & (sequences.items[place - 1] == item) & (sequences.items[place] == target)
        follows &= ~last[place - 1]  # the next event of the same user
        wrong += int((~follows).sum())
        if step == 0:
            cells = [f"{case.named([a])} → {case.named([b])}" for a, b in zip(item, target, strict=True)]
            starts = np.flatnonzero(np.diff(event, prepend=-1) != 1)[:SHOWN]
            shown = ["; ".join(cells[start : start + LATEST]) for start in starts]
    if wrong:
        return failed(
            f"{wrong} targets are not the event that follows their position, first: {shown[0]}",
            "labels were shuffled or shifted against the inputs",
            "Look where inputs and targets are cut from a sequence: inputs s..s+m-1, targets s+1..s+m.",
        )
    return passed("  ‖  ".join(shown))


def no_leak(case: Case) -> Outcome:
    """What is trained on ends before what is held out, for every user and every split."""
    sequences, rows = case.sequences, case.rows
    trained = {int(user): place for place, user in enumerate(sequences.users)}
    found = Counter[str]()
    example = ""
    apart = case.profile["split"] in ("users", "given")
    for split, held in rows.items():
        for row, user in enumerate(held.users.tolist()):
            place = trained.get(user)
            if place is None:
                continue
            learned = sequences.items[sequences.offsets[place] : sequences.offsets[place + 1]]
            history = held.items[held.start[row] : held.stop[row]]
            if apart:
                what = f"users of {split} rows are trained on"
            elif len(learned) > len(history):
                what = f"{split} targets are trained on"
            elif not np.array_equal(learned, history[: len(learned)]):
                what = f"{split} histories do not begin as their users' training sequences"
            else:
                continue
            found[what] += 1
            example = example or f"user {user}: {case.named(held.items[[held.stop[row]]])}"
    found += _validation_after_test(rows["validation"], rows["test"])
    evidence = ", ".join(f"{count:,} {what}" for what, count in found.items())
    return judged(
        not found,
        f"{evidence} ({example})" if found else f"{_sizes(rows)} begin where training ends ({case.profile['split']})",
        "the split is cut at the wrong event, or users of one part are in another",
        "Prepare the data again: engine run data --again; look at data.split.",
    )


def _validation_after_test(validation: Rows, test: Rows) -> Counter[str]:
    """Users whose validation target comes after a test target."""
    first_test: dict[int, int] = {}
    for user, length in zip(test.users.tolist(), (test.stop - test.start).tolist(), strict=True):
        first_test[user] = min(length, first_test.get(user, length))
    lengths = zip(validation.users.tolist(), (validation.stop - validation.start).tolist(), strict=True)
    late = sum(length >= first_test.get(user, length + 1) for user, length in lengths)
    return Counter({"validation targets come after a test target": late}) if late else Counter()


def target_unseen(case: Case) -> Outcome:
    """A held-out target is no more often in its own history than training events repeat earlier ones."""
    known = _repeats(case.sequences)
    shares = {split: _in_history(rows) for split, rows in case.rows.items()}
    worst = max(shares, key=lambda split: shares[split][0])
    share, row = shares[worst]
    rows = case.rows[worst]
    evidence = f"{share:.1%} of {worst} targets are in their history, {known:.1%} of training events repeat one"
    if share <= known + REPEATS:
        return passed(evidence)
    history = case.named(rows.items[max(rows.start[row], rows.stop[row] - LATEST) : rows.stop[row]])
    return failed(
        f"{evidence}: {history} → {case.named([rows.targets[row]])}",
        "the target's own event is part of the history: it ends one event too late",
        "A row's history is items[start:stop], its target items[stop]: see engine/data/splits.py.",
    )


def ids_fit(case: Case) -> Outcome:
    """Ids are 1..n, the same in items, sequences and rows; the padding 0 is nobody's item."""
    items, wrong = case.items, []
    table = case.table(ITEMS, ["id", "seen"])
    expected = np.arange(ids.PADDING + 1, ids.rows(items))
    if not np.array_equal(table["id"], expected):
        wrong.append(f"the items table does not hold the ids 1..{items} in order")
    named = {"training": case.sequences.items} | {name: rows.items for name, rows in case.rows.items()}
    for name, used in named.items():
        if len(used) and (used.min() <= ids.PADDING or used.max() >= ids.rows(items)):
            wrong.append(f"{name} ids go from {used.min()} to {used.max()}, not 1..{items}")
    if not wrong:
        counted = np.bincount(case.sequences.items, minlength=ids.rows(items))[ids.PADDING + 1 :]
        off = np.flatnonzero(counted != table["seen"])
        if len(off):
            item = int(expected[off[0]])
            wrong.append(
                f"{len(off):,} items are seen another number of times than their table says, first id {item} "
                f"({case.named([item])}): {counted[off[0]]} and {table['seen'][off[0]]}"
            )
    return judged(
        not wrong,
        "; ".join(wrong) or f"{items:,} items, {len(case.sequences.items):,} training events, all ids in 1..{items}",
        "ids are shifted against the items table: a 0-based numbering, or one that keeps padding elsewhere, came in",
        "Foreign numberings end in engine/data/ids.py; prepare the data again: engine run data --again.",
    )


def titles(case: Case) -> Outcome:
    """Items have titles that tell them apart: a teacher reads nothing else."""
    told = case.profile["titles"]
    missing, shared = int(told["missing"]), int(told["shared"])
    evidence = (
        f"{missing:,} of {case.items:,} items have no title, {shared:,} share theirs; first: {case.named([1, 2])}"
    )
    if missing > UNTITLED * case.items:
        told_by = failed if "teacher" in case.inputs else warned
        return told_by(
            evidence,
            "the data's catalogue was not found, or none of its ids fits",
            "Name it: data.catalogue=FILE, or another data.format (engine config data).",
        )
    return passed(evidence)


def _repeats(sequences: Sequences) -> float:
    """Share of training events, each user's first aside, whose item the user had before."""
    again = sum(len(part) - len(np.unique(part)) for part in _parts(sequences))
    return again / max(1, len(sequences.items) - len(sequences))


def _parts(sequences: Sequences) -> Iterator[NDArray[np.int32]]:
    for start, stop in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
        yield sequences.items[start:stop]


def _in_history(rows: Rows) -> tuple[float, int]:
    """Share of rows whose target is in their history, and the first of them."""
    targets = rows.targets
    inside = [
        bool((rows.items[start:stop] == target).any())
        for start, stop, target in zip(rows.start, rows.stop, targets, strict=True)
    ]
    return sum(inside) / max(1, len(rows)), inside.index(True) if any(inside) else 0


def _sizes(rows: dict[str, Rows]) -> str:
    return " and ".join(f"{len(held):,} {split} rows" for split, held in rows.items())
