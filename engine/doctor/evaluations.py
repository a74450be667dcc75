"""Checks of a finished evaluation: rows are ranked again with the models' own files, metrics computed again from ranks.

Both count in plain NumPy, so that a fault of the code that ranks is not repeated. Letters: L lines of the ranks table,
R rows, n items, C candidates.
"""

import csv
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from engine.data import ids
from engine.data.repeated_targets import repeated
from engine.data.sequences import Rows
from engine.doctor.case import Case
from engine.doctor.check import Outcome, check, failed, without
from engine.doctor.quality import scorers_of
from engine.evaluate.measure import ALL, Protocol
from engine.evaluate.models import Scorer
from engine.stages import CANDIDATES, METRICS_TABLE, ROW_RANKS

AGAIN = 32  # rows of each split that every model ranks again
SEED = 1  # of their choice
CLOSE = 1e-4  # scores this near to the target's, relative to the largest one, may stand on either side of it
DIGITS = 1e-8  # relative: a table has ten digits
CUTOFFS = (1, 5, 10, 20)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StoredRanks:
    """The ranks of one model, split and protocol, one per row."""

    model: str
    split: str
    protocol: Protocol
    users: NDArray[np.int64]  # [R]
    targets: NDArray[np.int64]  # [R]
    ranks: Floats  # [R]

    @property
    def name(self) -> str:
        """How the evidence calls them."""
        among = "all items" if self.protocol.candidates == ALL else f"{self.protocol.candidates} candidates"
        return f"{self.model} on {self.split} rows, {among}{', seen ones hidden' * self.protocol.hide_seen}"


@check(
    "ranks-reproducible",
    "evaluate",
    detects="stored ranks that the models do not give, targets that are hidden as seen, dropout while ranking",
    cause="the files of the models or of the rows are not those that were ranked, or they were ranked with dropout",
    remedy="Evaluate them again: engine run evaluate --again",
)
def ranks_reproducible(case: Case) -> Outcome:
    """Every model ranks some rows again as stored, and only targets of their own history are hidden."""
    stored = _stored(case)
    strange = [one.name for one in stored if not _same_rows(one, case.rows[one.split])]
    if strange:
        return failed(
            f"{strange[0]}: other users or targets than the held-out rows of these data",
            "the data were prepared again after the evaluation, or rows were lost between them",
            "Evaluate again: engine run evaluate --again",
        )
    if hidden := [fault for one in stored if (fault := _wrongly_hidden(one, case.rows[one.split]))]:
        return failed(
            "; ".join(hidden),
            "the target is hidden as seen: the items hidden for a row reach one event too far, or are another row's",
            "A row's history is items[start:stop], its target items[stop]: see history_pairs in "
            "engine/metrics/ranking.py; then engine run evaluate --again.",
        )
    candidates = _candidates(case)
    faults, noisy, ranked = list[str](), list[str](), 0
    for model in dict.fromkeys(one.model for one in stored):
        for split, score in scorers_of(case, model).items():
            own = [one for one in stored if (one.model, one.split) == (model, split)]
            rows = case.rows[split]
            some = np.sort(np.random.default_rng(SEED).permutation(len(rows))[:AGAIN])
            wrong: dict[str, list[str]] = {one.name: [] for one in own}
            for row in some.tolist():
                scores, again = _scores(score, row), _scores(score, row)
                if not np.array_equal(scores, again):
                    noisy += [f"{model} on {split} rows"]
                    break
                for one in own:
                    chosen = candidates[split][row] if one.protocol.candidates != ALL else None
                    low, high = _between(scores, rows, row, one.protocol.hide_seen, chosen)
                    if not low <= one.ranks[row] <= high:
                        wrong[one.name] += [f"row {row} has rank {one.ranks[row]:g}, again {(low + high) / 2:g}"]
            ranked += len(some) * len(own)
            faults += [
                f"{name}: {len(found)} of {len(some)} rows, first: {found[0]}" for name, found in wrong.items() if found
            ]
    if noisy:
        return failed(
            f"{', '.join(noisy)}: the same row scored twice has two results",
            "dropout at evaluation: the model ranks in training mode, or its dropout does not ask for the mode",
            "Models rank in evaluation mode: load_student ends with eval(), and dropout depends on self.training.",
        )
    return without(faults, f"{ranked} ranks of {len(stored)} columns of ranks.parquet are the same again")


@check(
    "metrics-match-ranks",
    "evaluate",
    detects="printed metrics that do not follow from the stored ranks",
    cause="the metrics table was computed from other ranks, or by another formula",
    remedy="Evaluate again: engine run evaluate --again; the formulas are in engine/metrics/ranking.py.",
)
def metrics_match_ranks(case: Case) -> Outcome:
    """Every metric of the table is the mean over the stored ranks, of as many rows as it states."""
    case.trained("evaluate")
    with case.artifact(METRICS_TABLE).open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    stored = {(one.model, one.split, one.protocol): one for one in _stored(case)}
    faults, compared = list[str](), 0
    for line in table:
        key = line["model"], line["split"], Protocol(line["hide_seen"] == "true", line["candidates"])
        one = stored.pop(key, None)
        if one is None:
            faults.append(f"{key[0]} on {key[1]} rows has metrics and no ranks")
            continue
        if int(line["rows"]) != len(one.ranks):
            faults.append(f"{one.name}: {line['rows']} rows and {len(one.ranks)} ranks")
            continue
        for name, value in _metrics(one.ranks).items():
            compared += 1
            if not np.isclose(float(line[name]), value, rtol=DIGITS, atol=DIGITS):
                faults.append(f"{one.name}: {name} is {float(line[name]):.4f}, of the ranks {value:.4f}")
    faults += [f"{one.name} has ranks and no metrics" for one in stored.values()]
    return without(faults[:3], f"{compared} metrics of {len(table)} rows of metrics.csv follow from ranks.parquet")


def _stored(case: Case) -> list[StoredRanks]:
    """The columns of ``ranks.parquet``, of the finished evaluation."""
    case.trained("evaluate")

    def make() -> list[StoredRanks]:
        table, found = pq.read_table(case.artifact(ROW_RANKS)), []
        for group in table.group_by(["model", "split", "hide_seen", "candidates"]).aggregate([]).to_pylist():
            lines = reduce(pc.and_, (pc.equal(table[name], value) for name, value in group.items()))
            part = table.filter(lines).sort_by("row")
            users, targets, ranks = (part[name].to_numpy() for name in ("user", "target", "rank"))
            protocol = Protocol(group["hide_seen"], group["candidates"])
            found.append(StoredRanks(group["model"], group["split"], protocol, users, targets, ranks))
        return found

    stored: list[StoredRanks] = case.once("stored ranks", make)
    return stored


def _same_rows(one: StoredRanks, rows: Rows) -> bool:
    return np.array_equal(one.users, rows.users) and np.array_equal(one.targets, rows.targets)


def _wrongly_hidden(one: StoredRanks, rows: Rows) -> str:
    """The fault that other targets are hidden than those that their history holds."""
    hidden = np.isinf(one.ranks)
    may = repeated(rows) if one.protocol.hide_seen and one.protocol.candidates == ALL else np.zeros(len(rows), bool)
    for wrong, words in ((hidden & ~may, "hidden, and not in their history"), (may & ~hidden, "seen, and not hidden")):
        if wrong.any():
            return f"{one.name}: {int(wrong.sum()):,} of {len(rows):,} targets are {words}"
    return ""


def _scores(score: Scorer, row: int) -> Floats:  # -> [n + 1]
    with torch.no_grad():
        found: Floats = score(slice(row, row + 1))[0].double().cpu().numpy()
    return found


def _between(
    scores: Floats, rows: Rows, row: int, hide_seen: bool, candidates: NDArray[np.int64] | None
) -> tuple[float, float]:
    """The lowest and the highest rank of a row's target, where scores as near as rounding may be in any order."""
    target = int(rows.items[rows.stop[row]])
    among = np.ones(len(scores), dtype=bool)
    if candidates is not None:
        among = np.isin(np.arange(len(scores)), candidates)
    among[ids.PADDING] = False
    if hide_seen:
        among[rows.items[rows.start[row] : rows.stop[row]]] = False
        if not among[target]:
            return np.inf, np.inf
    among[target] = False
    others, level = scores[among], scores[target]
    near = CLOSE * max(1.0, float(np.abs(scores[np.isfinite(scores)]).max()))
    above, equal = int((others > level).sum()), int((others == level).sum())
    exact = 1 + above + equal / 2
    low = 1 + int((others > level + near).sum())
    high = 1 + int((others >= level - near).sum())
    return (exact, exact) if low == high == exact else (float(low), float(high))


def _candidates(case: Case) -> dict[str, NDArray[np.int64]]:
    """Candidates [R, C] by split; none where the evaluation ranked no candidates."""
    path = case.artifact(ROW_RANKS).parent / CANDIDATES.file
    return load_file(path) if path.exists() else {}


def _metrics(ranks: Floats) -> dict[str, float]:
    """Hit rate, recall, NDCG and reciprocal rank of one target a row."""
    found: dict[str, float] = {}
    gain, reciprocal = 1 / np.log2(ranks + 1), 1 / ranks
    for k in CUTOFFS:
        inside = ranks <= k
        found |= {f"hr@{k}": float(inside.mean()), f"recall@{k}": float(inside.mean())}
        found |= {f"ndcg@{k}": float((gain * inside).mean()), f"mrr@{k}": float((reciprocal * inside).mean())}
    return found | {"mrr": float(reciprocal.mean())}
