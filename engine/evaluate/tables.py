"""The tables of an evaluation: metrics by model and protocol, by slice, and the rank of every row."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.config.settings.evaluate import HIDE
from engine.data import ties
from engine.data.profile import targets_hash
from engine.data.repeated_targets import repeated
from engine.data.sequences import Rows
from engine.evaluate.figures import intervals, means, of_lists, over_draws
from engine.evaluate.measure import Measured, Protocol
from engine.evaluate.models import Model
from engine.report.csv_files import write_rows
from engine.report.evaluation import ABOUT, REPEATED, SEEN_SETTING, TIED
from engine.runs.schema import RunInfo
from engine.stages import GPU_TIME, PROCESSOR_TIME, TRAIN_TOKENS

Row = dict[str, Any]


@dataclass(frozen=True)
class TableFacts:
    """Columns of the metrics table besides the metrics."""

    info: RunInfo
    profile: dict[str, Any]
    models: list[Model]
    milliseconds: dict[str, dict[str, float]]  # of a request: model -> column -> median
    main: Protocol
    draws: tuple[int, int]  # resamples behind an interval, and their seed
    seen_setting: str = HIDE  # evaluate.hide_seen


def metrics(
    facts: TableFacts, results: Sequence[Measured], splits: dict[str, Rows], popularity: NDArray[np.float64]
) -> list[Row]:
    """One row per model, split and protocol; ``main`` marks the protocol of the settings.

    Times of a request on a GPU have a column where any was measured, and tokens where a language model was trained.
    Where many test targets share their time with other events, ``tied_targets`` says so.
    Where some targets are in their own history, ``repeated_targets`` counts them and ``seen_setting`` is the setting.
    Where the name of a model does not say what was ranked, ``about_models`` does.
    """
    made = {model.name: model for model in facts.models}
    hashes = {split: targets_hash(rows) for split, rows in splits.items()}
    tied = ties.remark(facts.profile)
    again = {split: int(repeated(rows).sum()) for split, rows in splits.items()}
    about = "; ".join(f"{model.name} = {model.about}" for model in facts.models if model.about)
    order = {True: 0, False: 1}
    timed = [PROCESSOR_TIME, *([GPU_TIME] if any(GPU_TIME in times for times in facts.milliseconds.values()) else [])]
    tokens = any(model.train_tokens for model in facts.models)
    rows = [
        {
            "experiment": facts.info.experiment,
            "run": facts.info.id,
            "made_by": made[result.model].made_by,
            "data": facts.profile["name"],
            "split": result.split,
            "split_rule": facts.profile["split"],
            "seed": facts.info.seed,
            "model": result.model,
            "rows": len(result.ranks),
            "users": facts.profile["users"],
            "items": facts.profile["items"],
            "hide_seen": result.protocol.hide_seen,
            "candidates": result.protocol.candidates,
            "main": result.protocol == facts.main,
            **means(result.ranks),
            **intervals(result.ranks, *facts.draws),
            **over_draws(result, *facts.draws),
            **of_lists(result, facts.profile["items"], popularity),
            "ties": float((result.tied > 0).mean()),
            "targets_hash": hashes[result.split],
            "train_seconds": made[result.model].train_seconds,
            **({TRAIN_TOKENS: made[result.model].train_tokens} if tokens else {}),
            **{name: facts.milliseconds[result.model].get(name) for name in timed},
            **({TIED: tied if result.split == "test" else ""} if tied else {}),
            **({ABOUT: about} if about else {}),
            **({REPEATED: again[result.split], SEEN_SETTING: facts.seen_setting} if any(again.values()) else {}),
        }
        for result in results
    ]
    rows.sort(key=lambda row: (row["split"] != "test", order[row["main"]], row["candidates"] != "all"))
    return rows


def by_slice(results: Sequence[Measured], slices: dict[str, NDArray[np.bool_]]) -> list[Row]:
    """The same metrics on every slice."""
    return [
        {
            "model": result.model,
            "split": result.split,
            "hide_seen": result.protocol.hide_seen,
            "candidates": result.protocol.candidates,
            "slice": name,
            "rows": int(mask.sum()),
            **means(result.ranks[mask]),
        }
        for result in results
        for name, mask in slices.items()
    ]


def write(path: Path, rows: Sequence[Row]) -> None:
    """A CSV with every column that any row has; numbers with ten digits, nothing where a row has no value."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, columns, ([row.get(name) for name in columns] for row in rows), digits=10)


def write_ranks(path: Path, results: Sequence[Measured], splits: dict[str, Rows]) -> None:
    """model, split, hide_seen, candidates, row, user, target, rank: one line per row, model and protocol.

    The rank is infinite where the protocol hides the target itself.
    """
    parts = []
    for result in results:
        rows = splits[result.split]
        same = {"model": result.model, "split": result.split, "candidates": result.protocol.candidates}
        parts.append(
            pa.table(
                {name: pa.array([text] * len(rows)).dictionary_encode() for name, text in same.items()}
                | {
                    "hide_seen": np.full(len(rows), result.protocol.hide_seen),
                    "row": np.arange(len(rows), dtype=np.int32),
                    "user": rows.users.astype(np.int32),
                    "target": rows.targets,
                    "rank": result.ranks,
                }
            )
        )
    pq.write_table(pa.concat_tables(parts).unify_dictionaries(), path)
