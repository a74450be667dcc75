"""Which held-out rows a model ranks better or worse than the baseline, by the ranks that an evaluation wrote down.

Letters: R rows. Without torch.
"""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import RunError
from engine.runs.schema import ARTIFACTS
from engine.stages import ROW_RANKS

BASELINE = "student"
COMPARED = ("distilled", "teacher")  # the first that was evaluated
GAINED, LOST = "gained", "lost"
ORDERS = (GAINED, LOST)

Ranks = NDArray[np.float64]  # [R]


def evaluated_ranks(folder: Path) -> dict[str, Ranks]:
    """Model -> rank of each test row's target among all items not seen. RunError where no evaluation wrote any."""
    path = folder / ARTIFACTS / ROW_RANKS.file
    if not path.is_file():
        raise RunError(
            "only an evaluation knows who gained and who lost", location=folder.name, remedy="Choose an evaluate run."
        )
    table = pq.ParquetFile(path).read(columns=["model", "split", "candidates", "hide_seen", "row", "rank"])
    fits = pc.and_(pc.equal(table["split"], "test"), pc.and_(table["hide_seen"], pc.equal(table["candidates"], "all")))
    table = table.filter(fits)
    found = {}
    for model in pc.unique(table["model"]).to_pylist():
        own = table.filter(pc.equal(table["model"], model))
        found[str(model)] = own["rank"].to_numpy()[np.argsort(own["row"].to_numpy(), kind="stable")]
    return found


def compared(ranks: dict[str, Ranks]) -> str:
    """The model whose gain over the baseline is told. RunError where there are not both."""
    model = next((model for model in COMPARED if model in ranks and BASELINE in ranks), None)
    if model is None:
        raise RunError(
            f"this evaluation ranked no {BASELINE} beside {' or '.join(COMPARED)}",
            remedy='Rank them: engine run evaluate "evaluate.models=[student,teacher,distilled]"',
        )
    return model


def order(ranks: dict[str, Ranks], which: str) -> NDArray[np.int64]:
    """Rows by what the compared model gains in 1/rank over the baseline: the most gained, or the most lost, first."""
    gain = 1 / ranks[compared(ranks)] - 1 / ranks[BASELINE]
    return np.argsort(-gain if which == GAINED else gain, kind="stable")
