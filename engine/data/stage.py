"""Reads or makes the interactions and writes down what every later stage stands on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from engine.config import Config
from engine.data import demo
from engine.data.prepare import Prepared, prepare
from engine.data.readers import read
from engine.data.splits import histories
from engine.runs.run import Run
from engine.stages import ITEMS, ORACLE, PROFILE, SEQUENCES, TEST, TEST_HISTORIES, USERS, VALIDATION

SHOWN, SHOWN_ITEMS = 3, 5  # rows shown for the eye, and the latest items of each


def run(config: Config, run: Run) -> None:
    """Raises DataError for files that cannot be read as what the settings say."""
    settings = config.data
    run.progress(0, 3, "reading", unit="phases")
    oracle = None
    if settings.world is not None:
        interactions, oracle = demo.generate(settings.world)
        source: dict[str, Any] = {"format": "demo", "version": demo.VERSION, "seed": settings.world.seed, "files": []}
    else:
        interactions, source = read(settings, run.progress)
    run.progress(1, 3, "ordering and splitting", unit="phases")
    prepared = prepare(settings, interactions, oracle)
    run.progress(2, 3, "writing", unit="phases")
    _save(prepared, source, run)
    profile = prepared.profile
    run.note(
        **{key: profile[key] for key in ("users", "items", "interactions", "rows", "split", "targets_hash", "dropped")}
    )
    for line in examples(prepared):
        run.log("info", line)
    run.progress(3, 3, "done", unit="phases")


def examples(prepared: Prepared) -> list[str]:
    """The first validation rows as a person reads them: the latest titles of the history -> the target's title."""
    titles = ["", *prepared.items["title"].to_pylist()]
    users = prepared.users["raw"].to_pylist()
    rows = prepared.validation
    latest = histories(rows, SHOWN_ITEMS)
    return [
        f"user {users[rows.users[row]]}: "
        + " | ".join(titles[item] for item in latest.items[latest.offsets[row] : latest.offsets[row + 1]])
        + f" -> {titles[rows.targets[row]]}"
        for row in range(min(SHOWN, len(rows)))
    ]


def _save(prepared: Prepared, source: dict[str, Any], run: Run) -> None:
    with run.output(ITEMS) as path:
        pq.write_table(prepared.items, path)
    with run.output(USERS) as path:
        pq.write_table(prepared.users, path)
    for artifact, part in (
        (SEQUENCES, prepared.sequences),
        (VALIDATION, prepared.validation),
        (TEST_HISTORIES, prepared.test_histories),
        (TEST, prepared.test),
    ):
        with run.output(artifact) as path:
            part.save(path)
    if prepared.oracle is not None:
        with run.output(ORACLE) as path:
            save_file({"scores": np.ascontiguousarray(prepared.oracle)}, path)
    with run.output(PROFILE) as path:
        _write_json(path, prepared.profile | {"source": source})


def _write_json(path: Path, tree: dict[str, Any]) -> None:
    path.write_text(json.dumps(tree, indent=1, ensure_ascii=False), encoding="utf-8")
