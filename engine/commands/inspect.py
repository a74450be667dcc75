"""``engine runs``, ``engine show`` and ``engine logs``: look at runs without touching them."""

import argparse
import json
import sys
import time
from typing import Any

from engine.commands.follow import GLYPHS, clock, faults, line, notes, number, warnings
from engine.commands.outcome import facts, outcome
from engine.errors import UserError
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.reader import History, follow, history
from engine.runs.schema import CONSOLE
from engine.runs.text import clean
from engine.stages import STAGES


def runs(options: argparse.Namespace) -> int:
    """One line per run, oldest first; words narrow the list to ids, stages, states and labels that contain them."""
    entries = [entry for entry in Store(options.runs).scan() if _matches(entry, options.filters)]
    if options.json:
        print(json.dumps([_row(entry) for entry in entries]))
        return 0
    if not entries:
        print(f"no runs in {options.runs}. Start with: engine run", file=sys.stderr)
        return 0
    print(f"{'state':<8} {'run':<32} {'experiment':<14} {'age':>8}  {'metric':<24} {'time':>8}  reason")
    for entry in entries:
        row = _row(entry)
        metric = f"{row['metric']} {number(row['best'])}" if row["best"] is not None else ""
        wall = clock(row["wall"]) if row["wall"] is not None else ""
        reason = "  ".join(filter(None, [faults(entry), entry.status.reason.partition("\n")[0]]))
        print(
            f"{entry.state.value:<8} {entry.id:<32} {entry.info.experiment[:14]:<14} "
            f"{_age(entry):>8}  {metric:<24} {wall:>8}  {reason}".rstrip()
        )
    return 0


def show(options: argparse.Namespace) -> int:
    """Facts, inputs and settings of a run, and the curve of its main metric."""
    store = Store(options.runs)
    entries = [store.find(word) for word in options.ids or ["last"]]
    if options.json:
        print(json.dumps([_row(entry) | facts(entry) for entry in entries]))
        return 0
    for entry in entries:
        print(line(entry))
        info = entry.info
        dirty = " with uncommitted changes" if info.git.get("dirty") else ""
        print(f"  experiment {info.experiment}   seed {info.seed}   fingerprint {info.fingerprint}")
        print(f"  made from {', '.join(info.inputs.values()) or 'files'}   code {info.git.get('sha') or '?'}{dirty}")
        print(f"  command {clean(' '.join(info.argv))}")
        print(f"  folder {entry.folder}")
        _print_health(entry)
        story = history(entry.folder)
        for said in warnings(story):
            print(said)
        _print_curve(entry, story)
        if entry.state is State.DONE:
            print(outcome(entry))
    return 0


def _print_health(entry: Entry) -> None:
    """What the run's watch noted, gravest first; what is over by now last."""
    for level, code, note in notes(entry):
        groups = ", ".join(map(str, note.get("groups") or ()))
        where = f" ({groups})" if groups else ""
        print(f"  {GLYPHS.get(level, '·')} {code}{where}: {note.get('hint', '')}")


def _print_curve(entry: Entry, story: History) -> None:
    metric = STAGES[entry.info.stage].main_metric
    if metric is None:
        return
    points = story.series.get(metric.name)
    if points is None or len(points.steps) < 2:
        return
    from engine.report.chart import chart

    print(chart({metric.name: (points.steps, points.values)}, metric.name))


def logs(options: argparse.Namespace) -> int:
    """What a run printed, cleaned of control sequences; with --follow until it ends."""
    store = Store(options.runs)
    if len(options.ids) > 1:
        raise UserError("one run at a time", remedy="engine logs ID")
    folder = store.find(options.ids[0] if options.ids else "last").folder
    for text in follow(folder / CONSOLE, lambda: options.follow and store.entry(folder).state.living):
        print(text, flush=options.follow)
    return 0


def _matches(entry: Entry, words: list[str]) -> bool:
    info = entry.info
    text = f"{info.id} {info.stage} {entry.state.value} {info.experiment}".lower()
    return all(word.lower() in text for word in words)


def _row(entry: Entry) -> dict[str, Any]:
    metric = STAGES[entry.info.stage].main_metric
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
        "best": best["v"] if best else None,
        "wall": entry.end.wall if entry.end else None,
        "folder": str(entry.folder),
    }


def _age(entry: Entry) -> str:
    seconds = time.time() - entry.info.created
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
