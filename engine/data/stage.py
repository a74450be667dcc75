"""The ``data`` stage: reads or generates interactions and writes what all later stages read."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from engine.config import Config
from engine.data.known import Known
from engine.data.loading import id_warnings, load, set_warnings
from engine.data.prepare import Prepared, prepare
from engine.data.stretches import histories, write_histories, write_rows
from engine.runs.run import Run, Stopped
from engine.runs.text import clean
from engine.stages import ITEMS, ORACLE, PROFILE, SEQUENCES, TEST, TEST_HISTORIES, USERS, VALIDATION

SHOWN, SHOWN_ITEMS = 3, 5  # rows that are logged, and the latest items of each


def run(config: Config, run: Run) -> None:
    """Raises DataError for files that cannot be read as what the settings say."""
    settings = config.data

    def report(done: int, total: int, phase: str, unit: str) -> None:
        run.progress(done, total, phase, unit=unit)
        if run.stop_requested:
            raise Stopped("the data stage keeps no partial result: it starts over")

    # One OpenMP thread suits torch, whose threads spin; pyarrow's sleep, and reading is most of the work.
    pa.set_cpu_count(os.cpu_count() or 1)
    report(0, 1, "reading", "sets")
    warn = partial(run.log, "warning")
    loaded = load(settings, report, warn)
    for text in id_warnings(loaded):
        warn(text)
    pa.default_memory_pool().release_unused()  # what reading needed
    known = None if settings.known is None else Known.read(run.folder.parent / settings.known)
    prepared = prepare(
        settings, loaded.interactions, loaded.oracle, lambda phase: report(0, 1, phase, "sets"), known, True
    )
    report(0, 1, "writing", "sets")
    _save(prepared, loaded.source, run)
    noted = ("name", "users", "items", "interactions", "rows", "split", "order", "targets_hash", "dropped")
    share = prepared.profile["titles"]["missing"] / len(prepared.items)
    run.note(**{key: prepared.profile[key] for key in noted}, untitled_share=round(share, 4))
    if known is not None:
        run.note(against=prepared.profile["known"])
    for text in set_warnings(settings, loaded, prepared):
        warn(text)
    for line in examples(prepared):
        run.log("info", line)
    report(1, 1, "done", "sets")


def examples(prepared: Prepared) -> list[str]:
    """The first validation rows in titles: the latest items of the history -> the target."""
    titles = ["", *prepared.items["title"].to_pylist()]
    rows = prepared.validation.some(np.arange(min(SHOWN, len(prepared.validation))))
    users = prepared.users["raw"].take(pa.array(rows.users)).to_pylist()
    latest = histories(rows, SHOWN_ITEMS)
    return [
        f"user {clean(users[row], 60)}: "
        + " | ".join(titles[item] for item in latest.items[latest.offsets[row] : latest.offsets[row + 1]])
        + f" -> {titles[rows.targets[row]]}"
        for row in range(len(rows))
    ]


def _save(prepared: Prepared, source: dict[str, Any], run: Run) -> None:
    with run.output(ITEMS) as path:
        pq.write_table(prepared.items, path)
    with run.output(USERS) as path:
        pq.write_table(prepared.users, path)
    for artifact, rows, write in (
        (SEQUENCES, prepared.trained, write_histories),
        (VALIDATION, prepared.validation, write_rows),
        (TEST_HISTORIES, prepared.test, write_histories),
        (TEST, prepared.test, write_rows),
    ):
        with run.output(artifact) as path:
            write(path, rows)
    if prepared.oracle is not None:
        with run.output(ORACLE) as path:
            save_file({"scores": np.ascontiguousarray(prepared.oracle)}, path)
    with run.output(PROFILE) as path:
        _write_json(path, prepared.profile | {"source": source})


def _write_json(path: Path, tree: dict[str, Any]) -> None:
    path.write_text(json.dumps(tree, indent=1, ensure_ascii=False), encoding="utf-8")
