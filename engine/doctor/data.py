"""Checks of the data: ids, titles, splits and targets.

Letters: E events, U users, R rows, n items.
"""

from collections import Counter

import numpy as np

from engine.data import ids
from engine.data.sequences import Rows
from engine.doctor.case import Case
from engine.doctor.check import FAIL, WARN, Outcome, check, failed, judged, passed, without
from engine.stages import ITEMS
from engine.student.training_plan import sampler_of

SHOWN, LATEST = 3, 4  # windows of the first batch that are shown, and positions of each
BATCHES = 4  # first batches that are compared with the sequences
UNTITLED = 0.5  # share of items without a title above which titles are missing


@check(
    "first-batches",
    "data",
    detects="training targets that are shuffled or shifted against their inputs; shows them as titles",
    cause="labels were shuffled or shifted against the inputs",
    remedy="Look where inputs and targets are cut from a sequence: inputs s..s+m-1, targets s+1..s+m.",
)
def first_batches(case: Case) -> Outcome:
    """The target of every position in the first batches is the next event of the same user."""
    sequences = case.sequences
    sampler = sampler_of(case.config.student, sequences, "cpu")
    examples: list[str] = []
    wrong = 0
    last = np.zeros(len(sequences.items), dtype=bool)
    last[sequences.offsets[1:] - 1] = True
    for step in range(min(BATCHES, sampler.per_epoch)):
        batch = sampler(step)
        real = np.ones(len(batch.targets), dtype=bool) if batch.weights is None else batch.weights.cpu().numpy() > 0
        item, target, event = (part.cpu().numpy()[real] for part in (batch.items, batch.targets, batch.events))
        inside = (event >= 1) & (event < len(sequences.items))
        at = np.where(inside, event, 1)
        follows = inside & (sequences.items[at - 1] == item) & (sequences.items[at] == target)
        follows &= ~last[at - 1]  # the next event of the same user
        wrong += int((~follows).sum())
        if step == 0:
            cells = [f"{case.titled([a])} → {case.titled([b])}" for a, b in zip(item, target, strict=True)]
            starts = np.flatnonzero(np.diff(event, prepend=-1) != 1)[:SHOWN]
            examples = ["; ".join(cells[start : start + LATEST]) for start in starts]
    return judged(
        not wrong,
        f"{wrong} targets are not the event that follows their position, first: {examples[0]}"
        if wrong
        else "  ‖  ".join(examples),
    )


@check(
    "no-leak",
    "data",
    detects="held-out rows, or their users, among the training data",
    cause="the split is cut at the wrong event, or users of one part are in another",
    remedy="Prepare the data again: engine run data --again; check data.split.",
)
def no_leak(case: Case) -> Outcome:
    """Training data ends before held-out data begins, for every user and every split."""
    sequences, rows = case.sequences, case.rows
    trained = {int(user): index for index, user in enumerate(sequences.users)}
    leaks = Counter[str]()
    example = ""
    apart = case.profile["split"] in ("users", "given")
    for split, held in rows.items():
        for row, user in enumerate(held.users.tolist()):
            index = trained.get(user)
            if index is None:
                continue
            training = sequences.items[sequences.offsets[index] : sequences.offsets[index + 1]]
            history = held.items[held.start[row] : held.stop[row]]
            if apart:
                leak = f"users of {split} rows are trained on"
            elif len(training) > len(history):
                leak = f"{split} targets are trained on"
            elif not np.array_equal(training, history[: len(training)]):
                leak = f"{split} histories do not begin as their users' training sequences"
            else:
                continue
            leaks[leak] += 1
            example = example or f"user {user}: {case.titled(held.items[[held.stop[row]]])}"
    leaks += _validation_after_test(rows["validation"], rows["test"])
    if leaks:
        return failed(", ".join(f"{count:,} {leak}" for leak, count in leaks.items()) + f" ({example})")
    sizes = " and ".join(f"{len(held):,} {split} rows" for split, held in rows.items())
    return passed(f"{sizes} begin where training ends ({case.profile['split']})")


def _validation_after_test(validation: Rows, test: Rows) -> Counter[str]:
    """Users whose validation target comes after a test target."""
    first_test: dict[int, int] = {}
    for user, length in zip(test.users.tolist(), (test.stop - test.start).tolist(), strict=True):
        first_test[user] = min(length, first_test.get(user, length))
    lengths = zip(validation.users.tolist(), (validation.stop - validation.start).tolist(), strict=True)
    late = sum(length >= first_test.get(user, length + 1) for user, length in lengths)
    return Counter({"validation targets come after a test target": late}) if late else Counter()


@check(
    "ids",
    "data",
    detects="ids shifted by one, padding used as an item, ids out of range",
    cause="ids are shifted against the items table: the source counts from 0, or has its padding at another id",
    remedy="Foreign numberings end in engine/data/ids.py; prepare the data again: engine run data --again.",
)
def ids_fit(case: Case) -> Outcome:
    """Ids are 1..n and the same in items, sequences and rows; the padding 0 is no item."""
    items, faults = case.items, []
    table = case.table(ITEMS, ["id", "seen"])
    expected = np.arange(ids.PADDING + 1, ids.rows(items))
    if not np.array_equal(table["id"], expected):
        faults.append(f"the items table does not hold the ids 1..{items} in order")
    parts = {"training": case.sequences.items} | {name: rows.items for name, rows in case.rows.items()}
    for name, used in parts.items():
        if len(used) and (used.min() <= ids.PADDING or used.max() >= ids.rows(items)):
            faults.append(f"{name} ids go from {used.min()} to {used.max()}, not 1..{items}")
    if not faults:
        counted = np.bincount(case.sequences.items, minlength=ids.rows(items))[ids.PADDING + 1 :]
        off = np.flatnonzero(counted != table["seen"])
        if len(off):
            item = int(expected[off[0]])
            faults.append(
                f"{len(off):,} items occur another number of times than the items table states, first id {item} "
                f"({case.titled([item])}): {counted[off[0]]} and {table['seen'][off[0]]}"
            )
    return without(faults, f"{items:,} items, {len(case.sequences.items):,} training events, all ids in 1..{items}")


@check(
    "titles",
    "data",
    detects="items without a title",
    cause="the catalogue of the data set was not found, or none of its ids matches",
    remedy="Set data.catalogue=FILE, or another data.format (engine config data).",
)
def titles(case: Case) -> Outcome:
    """Items have titles that distinguish them: the teacher reads nothing else."""
    counts = case.profile["titles"]
    missing, shared = int(counts["missing"]), int(counts["shared"])
    evidence = (
        f"{missing:,} of {case.items:,} items have no title, {shared:,} share theirs; first: {case.titled([1, 2])}"
    )
    return judged(missing <= UNTITLED * case.items, evidence, FAIL if "teacher" in case.inputs else WARN)
