"""``engine runs``, ``engine show`` and ``engine logs``: read runs, change nothing."""

import argparse
import json
import sys
import time
from typing import Any

from engine.commands.run_ids import run_of
from engine.commands.run_text import (
    facts,
    problem_codes,
    problem_lines,
    result_text,
    status_line,
    warning_lines,
)
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.report.numbers import age, duration, fixed
from engine.report.settings import changed
from engine.report.tables import column
from engine.runs.reader import History, follow, history
from engine.runs.schema import CONSOLE
from engine.runs.text import clean
from engine.stages import STAGES


def runs(options: argparse.Namespace) -> int:
    """One line per run, oldest first; filters keep the runs whose id, stage, state and label contain them all."""
    entries = [entry for entry in Store(options.runs).scan() if _matches(entry, options.filters)]
    if options.json:
        print(json.dumps([_row(entry) for entry in entries]))
        return 0
    if not entries:
        print(f"no runs in {options.runs}. Start with: engine run", file=sys.stderr)
        return 0
    print(f"{'state':<8} {'run':<32} {'experiment':<14} {'age':>5}  {'metric':<24} {'time':>8}  reason")
    for entry in entries:
        row = _row(entry)
        value = row["best"] if row["kept"] is None else row["kept"]
        metric = f"{row['metric']} {fixed(value)}" if value is not None else ""
        wall = duration(row["wall"]) if row["wall"] is not None else ""
        reason = "  ".join(filter(None, [problem_codes(entry), entry.status.reason.partition("\n")[0]]))
        print(
            f"{entry.state.value:<8} {entry.id:<32} {column(entry.info.experiment, 14)} "
            f"{age(time.time() - entry.info.created):>5}  {metric:<24} {wall:>8}  {reason}".rstrip()
        )
    return 0


def show(options: argparse.Namespace) -> int:
    """Facts, inputs and problems of runs, and the curve of their main metric."""
    store = Store(options.runs)
    entries = [store.find(run) for run in options.ids or ["last"]]
    if options.json:
        print(
            json.dumps(
                [_row(entry) | facts(entry) | {"changed": changed(entry.folder, entry.info.stage)} for entry in entries]
            )
        )
        return 0
    for entry in entries:
        info, record = entry.info, history(entry.folder)
        dirty = " with uncommitted changes" if info.git.get("dirty") else ""
        lines = [
            status_line(entry),
            f"  experiment {info.experiment}   seed {info.seed}   fingerprint {info.fingerprint}",
            f"  inputs {', '.join(info.inputs.values()) or 'files'}   code {info.git.get('sha') or '?'}{dirty}",
            f"  command {clean(' '.join(info.argv))}",
            f"  folder {entry.folder}",
            *problem_lines(entry),
            *warning_lines(record),
        ]
        print("\n".join(lines))
        _print_curve(entry, record)
        if entry.state is State.DONE:
            print(result_text(entry))
    return 0


def _print_curve(entry: Entry, record: History) -> None:
    metric = STAGES[entry.info.stage].main_metric(record.series)
    points = record.series.get(metric.name) if metric else None
    if metric is None or points is None or len(points.steps) < 2:
        return
    from engine.report.chart import chart

    print(chart({metric.name: (points.steps, points.values)}, metric.name))


def logs(options: argparse.Namespace) -> int:
    """The console output of a run, without control sequences; with --follow until it ends."""
    store = Store(options.runs)
    folder = run_of(store, options.ids or ["last"], "engine logs ID").folder
    for text in follow(folder / CONSOLE, lambda: options.follow and store.entry(folder).state.living):
        print(text, flush=options.follow)
    return 0


def _matches(entry: Entry, filters: list[str]) -> bool:
    info = entry.info
    text = f"{info.id} {info.stage} {entry.state.value} {info.experiment}".lower()
    return all(part.lower() in text for part in filters)


def _row(entry: Entry) -> dict[str, Any]:
    metric = STAGES[entry.info.stage].main_metric(entry.summary.last if entry.summary else ())
    best = entry.summary.best.get(metric.name) if metric and entry.summary else None
    return {
        "run": entry.id,
        "stage": entry.info.stage,
        "experiment": entry.info.experiment,
        "seed": entry.info.seed,
        "state": entry.state.value,
        "reason": entry.status.reason,
        "health": entry.summary.health if entry.summary else {},
        "created": entry.info.created,
        "inputs": entry.info.inputs,
        "fingerprint": entry.info.fingerprint,
        "metric": metric.name if metric else None,
        "best": best["v"] if best else None,  # of all evaluations: the largest or smallest, by the metric's goal
        "kept": entry.summary.kept.get(metric.name)
        if metric and entry.summary
        else None,  # by the weights that are kept
        "wall": entry.end.wall if entry.end else None,
        "folder": str(entry.folder),
    }
