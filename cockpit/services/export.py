"""Runs and curves as CSV. Text that a spreadsheet would execute is escaped."""

import csv
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cockpit.models.form import shown
from cockpit.models.rows import Row
from cockpit.models.run_data import RunData
from cockpit.services.folders import Folders
from cockpit.services.scan import read_config
from engine.runs.text import csv_safe


def table(file: Path, rows: Sequence[Row], root: Path | Folders) -> int:
    """One line per run: identity, state, metrics, and the settings in which the runs differ."""
    for row in rows:
        if row.config is None:
            row.config = read_config(root / row.id)
    configs = [row.config or {} for row in rows]
    keys = sorted({key for config in configs for key in config})
    differing = [key for key in keys if len({shown(config.get(key)) for config in configs}) > 1 or len(rows) == 1]
    metrics = sorted({name for row in rows for name in (*row.best, *row.last)})
    facts = [
        "id",
        "stage",
        "experiment",
        "seed",
        "state",
        "reason",
        "created",
        "wall_seconds",
        "step",
        "total",
        "unit",
        "git",
    ]
    head = [*facts, "tags", "note", *(f"best {m}" for m in metrics), *(f"last {m}" for m in metrics), *differing]
    lines: list[list[Any]] = [head]
    for row, config in zip(rows, configs, strict=True):
        step, total, unit = row.work
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row.created))
        git = row.git + ("-dirty" if row.dirty else "")
        identity = [row.id, row.stage, row.experiment, row.seed, row.state, row.reason, created, row.wall, step]
        lines.append(
            [
                *identity,
                total,
                unit,
                git,
                " ".join(row.tags),
                row.note,
                *(row.value(m, "best") for m in metrics),
                *(row.last.get(m) for m in metrics),
                *(shown(config[key]) if key in config else None for key in differing),
            ]
        )
    return _write(file, lines) - 1


def curves(file: Path, runs: Mapping[str, RunData]) -> int:
    """One line per point: run, metric, step, epoch, unix time, value."""

    def lines() -> Iterable[list[Any]]:
        yield ["run", "metric", "step", "epoch", "time", "value"]
        for run, data in runs.items():
            for metric, series in data.series.items():
                points = zip(series.steps, series.epochs, series.times, series.values, strict=True)
                for step, epoch, when, value in points:
                    known = "" if epoch != epoch else float(epoch)
                    yield [run, metric, float(step), known, float(when), float(value)]

    return _write(file, lines()) - 1


def _write(file: Path, lines: Iterable[Sequence[Any]]) -> int:
    """Write a new file, never over an existing one; returns the number of lines."""
    count = 0
    with file.open("x", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        for line in lines:
            writer.writerow([csv_safe(cell) if isinstance(cell, str) else cell for cell in line])
            count += 1
    return count
