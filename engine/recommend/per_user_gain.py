"""Which held-out rows a model ranks better or worse than the baseline, by the ranks that an evaluation stored.

Letters: R rows. Without torch.
"""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import RunError
from engine.report.evaluation import read
from engine.runs.schema import ARTIFACTS
from engine.stages import METRICS_TABLE, ROW_RANKS

BASELINE = "student"
COMPARED = ("distilled", "teacher")  # the first that was evaluated
GAINED, LOST = "gained", "lost"
ORDERS = (GAINED, LOST)

Ranks = NDArray[np.float64]  # [R]


def evaluated_ranks(folder: Path) -> dict[str, Ranks]:
    """Model -> rank of each test row's target by the main protocol. RunError where no evaluation wrote any."""
    path = folder / ARTIFACTS / ROW_RANKS.file
    if not path.is_file():
        raise RunError(
            "only an evaluation has the ranks by which users gain or lose",
            location=folder.name,
            remedy="Choose an evaluate run.",
        )
    hidden = next(row for row in read(folder, METRICS_TABLE) if row["main"] == "true")["hide_seen"] == "true"
    table = pq.ParquetFile(path).read(columns=["model", "split", "candidates", "hide_seen", "row", "rank"])
    full = pc.and_(pc.equal(table["split"], "test"), pc.equal(table["candidates"], "all"))
    table = table.filter(pc.and_(full, pc.equal(table["hide_seen"], hidden)))
    found = {}
    for model in pc.unique(table["model"]).to_pylist():
        own = table.filter(pc.equal(table["model"], model))
        found[str(model)] = own["rank"].to_numpy()[np.argsort(own["row"].to_numpy(), kind="stable")]
    return found


def compared(ranks: dict[str, Ranks]) -> str:
    """The model whose gain over the baseline is computed. RunError where one of both is missing."""
    model = next((model for model in COMPARED if model in ranks and BASELINE in ranks), None)
    if model is None:
        raise RunError(
            f"this evaluation ranked no {BASELINE} beside {' or '.join(COMPARED)}",
            remedy='Rank them: engine run evaluate "evaluate.models=[student,teacher,distilled]"',
        )
    return model


def order(ranks: dict[str, Ranks], which: str) -> NDArray[np.int64]:
    """Rows sorted by the gain in 1/rank of the compared model over the baseline, largest gain or loss first."""
    gain = 1 / ranks[compared(ranks)] - 1 / ranks[BASELINE]
    return np.argsort(-gain if which == GAINED else gain, kind="stable")
