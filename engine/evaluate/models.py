"""What each model name of ``evaluate.models`` says about rows: popularity, stored scores, or a trained network.

Letters: B rows of a block, n items.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from engine.data import ids
from engine.data.sequences import Rows, Sequences
from engine.ranking import score_items
from engine.runs.run import Run
from engine.runs.schema import Summary
from engine.stages import MODELS, ORACLE, SEQUENCES, TEACHER_HELD_OUT
from engine.student.batches import histories
from engine.student.model import load_student

Scorer = Callable[[slice], Tensor]  # rows of the block -> [B, n + 1] scores that the caller may change
STORED = {ORACLE: {"test": "scores"}, TEACHER_HELD_OUT: {"test": "test", "validation": "validation"}}


@dataclass(frozen=True)
class Model:
    """A model to be ranked by, and what is known about how it was made."""

    name: str
    scorers: dict[str, Scorer]  # by split; a split that it has no scores for is missing
    live: bool  # it answers requests, so their time can be taken
    made_by: str  # the run that trained it, "" where nothing was trained
    train_seconds: float | None
    ms_per_request: float | None  # what its own run measured


@torch.no_grad()
def models(names: list[str], run: Run, splits: dict[str, Rows], items: int, device: str) -> list[Model]:
    """The models of these names; without the oracle where the data knows none."""
    found = []
    for name in names:
        artifact = MODELS[name]
        if artifact is ORACLE and not run.has(ORACLE):
            continue
        path = run.input(artifact)
        if artifact is SEQUENCES:
            by_count = popularity(Sequences.load(path), items, device)
            found.append(Model(name, dict.fromkeys(splits, by_count), True, "", None, None))
            continue
        maker = Summary.read(path.parent.parent)
        facts = maker.facts if maker and artifact is not ORACLE else {}
        made_by = "" if artifact is ORACLE else path.parent.parent.name
        if artifact in STORED:
            scorers = {split: stored(path, key, device) for split, key in STORED[artifact].items() if split in splits}
        else:
            scorers = {split: trained(path, rows, device) for split, rows in splits.items()}
        live = artifact not in STORED
        found.append(Model(name, scorers, live, made_by, facts.get("train_seconds"), facts.get("ms_per_request")))
    return found


def popularity(sequences: Sequences, items: int, device: str) -> Scorer:
    """Every row gets the number of training events of each item."""
    counts = training_counts(sequences, items)
    scores = torch.from_numpy(counts).float().to(device)
    scores[ids.PADDING] = -torch.inf
    return lambda block: scores.repeat(block.stop - block.start, 1)


def training_counts(sequences: Sequences, items: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Training events of every item id [n + 1]."""
    return np.bincount(sequences.items, minlength=ids.rows(items))


def stored(path: Path, key: str, device: str) -> Scorer:
    """Scores [R, n + 1] that an earlier stage wrote down, read block by block."""

    def score(block: slice) -> Tensor:
        with safe_open(path, "pt") as file:
            scores: Tensor = file.get_slice(key)[block].to(device, torch.float32)
        scores[:, ids.PADDING] = -torch.inf
        return scores

    return score


def trained(path: Path, rows: Rows, device: str) -> Scorer:
    """A student's scores: the state after the history times the item table."""
    network = load_student(path, device)
    table, bias = network.item_table()

    @torch.no_grad()
    def score(block: slice) -> Tensor:
        history = histories(rows, block, network.max_length).to(device)
        return score_items(network.user_vectors(history), table, bias)

    return score
