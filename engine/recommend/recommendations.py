"""What a trained model would recommend to anybody who has a history, known to it or not.

Letters: U users, D width, n items.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from engine.config.settings.evaluate import AUTO
from engine.data import ids
from engine.data.catalogue import column, titles
from engine.data.repeated_targets import hides_seen, validation_share
from engine.metrics.ranking import blocks, history_pairs, score_items
from engine.recommend.histories import Histories
from engine.recommend.lineage import lineage, made
from engine.recommend.predictions import Prediction, Predictor
from engine.recommend.titles import Titles
from engine.report.csv_files import write_rows
from engine.runs.files import refused
from engine.stages import DISTILLED_MODEL, ITEMS, PROFILE, STUDENT_MODEL, VALIDATION
from engine.student.batches import stretches
from engine.student.model import SequenceModel, load_student

COLUMNS = ("user", "rank", "item", "raw", "title", "score")
TRAINED = (DISTILLED_MODEL, STUDENT_MODEL)  # the better one first


@dataclass(frozen=True)
class Recommender:
    """A trained model and its catalogue."""

    name: str  # the run that trained it
    model: SequenceModel
    catalogue: Titles
    hide_seen: bool = True  # what suits the data, as evaluate.hide_seen=auto


def load(folder: Path, device: str = "cpu") -> Recommender:
    """The last student that a run was made from: the distilled one where there is one."""
    runs = lineage(folder)
    artifact = next((artifact for artifact in TRAINED if artifact.stage in runs), STUDENT_MODEL)
    model, items = load_student(made(runs, artifact), device), made(runs, ITEMS)
    profile = json.loads(made(runs, PROFILE).read_text(encoding="utf-8"))
    hide_seen = hides_seen(AUTO, validation_share(profile, made(runs, VALIDATION)))
    return Recommender(runs[artifact.stage].name, model, Titles(titles(items), ["", *column(items, "raw")]), hide_seen)


def student_predictor(path: Path, device: str = "cpu") -> Predictor:
    """The student at ``path`` as a function of one history."""
    model = load_student(path, device)
    table, bias = model.item_table()

    @torch.no_grad()
    def predict(history: NDArray[np.int32]) -> Prediction:
        one = Histories([""], history, np.array([0, len(history)]), [])
        return Prediction(score_items(vectors(model, one, device), table, bias)[0].float().cpu().numpy())

    return predict


@torch.no_grad()
def vectors(model: SequenceModel, histories: Histories, device: str = "cpu") -> torch.Tensor:  # -> [U, D]
    """The state after every user's latest items."""
    stop = histories.offsets[1:]
    start = np.maximum(histories.offsets[:-1], stop - model.max_length)
    parts = [
        model.user_vectors(stretches(histories.items, start[block], stop[block]).to(device))
        for block in blocks(len(stop), ids.rows(model.items), device)
    ]
    return torch.cat(parts)


@torch.no_grad()
def best_items(
    model: SequenceModel, histories: Histories, count: int, hide_seen: bool = True, device: str = "cpu"
) -> Iterator[list[tuple[int, float]]]:
    """For every user the ``count`` best items and their scores, best first; fewer where no more are left."""
    users, (table, bias) = vectors(model, histories, device), model.item_table()
    start, stop = histories.offsets[:-1], histories.offsets[1:]
    flat = tuple(torch.from_numpy(part).to(device) for part in (histories.items, start, stop))
    for block in blocks(len(users), len(table), device):
        scores = score_items(users[block], table, bias)
        if hide_seen:
            scores[history_pairs((flat[0], flat[1], flat[2]), block)] = -torch.inf
        values, items = scores.topk(min(count, model.items), dim=1)
        for row_items, row_values in zip(items.tolist(), values.tolist(), strict=True):
            yield [(i, v) for i, v in zip(row_items, row_values, strict=True) if v != -torch.inf]


def rows(
    recommender: Recommender, histories: Histories, count: int, hide_seen: bool = True, device: str = "cpu"
) -> Iterator[dict[str, str | int | float]]:
    """The recommendations as rows of ``COLUMNS``, user after user."""
    catalogue = recommender.catalogue
    lists = best_items(recommender.model, histories, count, hide_seen, device)
    for user, found in zip(histories.users, lists, strict=True):
        for rank, (item, score) in enumerate(found, start=1):
            own = (user, rank, item, catalogue.raw[item], catalogue.titles[item], score)
            yield dict(zip(COLUMNS, own, strict=True))


def write_csv(path: Path, rows: Iterator[dict[str, str | int | float]]) -> int:
    """Write the rows and return their number. RunError when the disk refuses."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            return write_rows(file, COLUMNS, (list(row.values()) for row in rows), digits=7)
    except OSError as error:
        raise refused(error, path, "choose another file") from error


def write_vectors(path: Path, recommender: Recommender, histories: Histories, device: str = "cpu") -> None:
    """user and vector of every user as Parquet; an item's score is its vector times the user's plus its bias.

    Beside it, at ``<name>.items<suffix>``, item, raw, title, vector and bias of every item.
    """
    table, bias = recommender.model.item_table()
    users, items = vectors(recommender.model, histories, device).cpu(), table.detach().cpu()[ids.PADDING + 1 :]
    offsets = torch.zeros(len(items)) if bias is None else bias.detach().cpu()[ids.PADDING + 1 :]
    catalogue = recommender.catalogue
    try:
        pq.write_table(pa.table({"user": histories.users, "vector": _column(users)}), path)
        pq.write_table(
            pa.table(
                {
                    "item": np.arange(ids.PADDING + 1, ids.rows(len(items)), dtype=np.int32),
                    "raw": catalogue.raw[ids.PADDING + 1 :],
                    "title": catalogue.titles[ids.PADDING + 1 :],
                    "vector": _column(items),
                    "bias": offsets.numpy(),
                }
            ),
            path.with_suffix(f".items{path.suffix}"),
        )
    except OSError as error:
        raise refused(error, path, "choose another file") from error


def _column(matrix: torch.Tensor) -> pa.Array:
    flat = pa.array(matrix.contiguous().numpy().ravel())
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
