"""``engine data``: what would be read and dropped of a file or set, and why, before anything runs."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from engine import config as configuration
from engine.commands.overrides import with_source
from engine.data.repeated_targets import PROFILED
from engine.errors import UserError
from engine.report.settings import flat
from engine.report.tables import align
from engine.runs.text import clean, clean_lines, clean_values

LARGE = 50_000_000  # bytes whose reading is announced
DROPPED = {"said twice": "repeat user, item and time of another event (data.duplicates)"}


def data(options: argparse.Namespace) -> int:
    """Look at a set; nothing is written."""
    files = [word for word in options.overrides if "=" not in word]
    if len(files) > 1:
        raise UserError(f"one file or folder at a time, not {' and '.join(files)}", remedy="Settings are key=value.")
    settings = [word for word in options.overrides if "=" in word]
    overrides = with_source([*settings, *(f"data.path={file}" for file in files)])
    config = configuration.load(overrides)
    from engine.data.known import Known  # here: pyarrow takes a moment
    from engine.data.preview import preview
    from engine.experiments.named_runs import checked

    phases: set[str] = set()

    def report(done: int, total: int, phase: str, unit: str) -> None:
        if phase not in phases and total > LARGE:
            print(f"{phase} {total:,} {unit} …", file=sys.stderr, flush=True)
        phases.add(phase)

    known = None
    if config.data.known is not None:
        checked({"known": config.data.known}, options.runs, None)
        known = Known.read(options.runs / config.data.known)
    found = preview(config.data, report, known)
    if options.json:
        print(json.dumps(clean_values(found | {"settings": flat({"data": asdict(config.data)})})))
        return 0
    print(clean_lines("\n".join(_lines(found))))
    return 0


def _lines(found: dict[str, Any]) -> list[str]:
    read, kept, rows = found["read"], found["interactions"], found["rows"]
    files = ", ".join(found["source"]["files"].values())
    dropped = [f"{count:,} {DROPPED.get(reason, reason)}" for reason, count in found["dropped"].items()]
    repeated, ties, titles = found[PROFILED]["test"], found["ties"], found["titles"]
    facts = {
        "set": f"{found['name']}, format {found['source']['format']}" + (f": {files}" if files else ""),
        "read": f"{read['events']:,} events of {read['users']:,} users and {read['items']:,} items" + _when(read),
        "ratings": _ratings(read["ratings"]),
        "dropped": "; ".join(dropped) or "nothing",
        "kept": f"{kept:,} events of {found['users']:,} users and {found['items']:,} items",
        "split": f"{found['split']}: {rows['train']:,} training events, {rows['validation']:,} validation rows, "
        f"{rows['test']:,} test rows; ordered by {found['order']}",
        "histories": "{shortest:,} to {longest:,} training events of a user, median {median:g}".format(
            **found["training_history"]
        ),
        "repeated": f"{repeated:,} of {rows['test']:,} test targets are in their own history",
        "ties": "there are no times"
        if ties is None
        else f"{ties['test']:,} of {rows['test']:,} test targets share their time with other events of their user",
        "titles": f"{found['items'] - titles['missing']:,} of {found['items']:,} items have one",
        "new": _new(found["known"]),
        "cold": f"{found['cold_items']:,} items have no training event",
    }
    for size in found["cores"]:
        setting = f"data.core_users={size['core']} data.core_items={size['core']}"
        left = f"{size['interactions']:,} events of {size['users']:,} users and {size['items']:,} items"
        facts[f"{size['core']}-core"] = f"would leave {left}: {setting}"
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {clean(text, 400)}" for name, text in facts.items() if text]
    header = [name for name in ("user", "item", "time", "rating", "title") if any(e[name] for e in found["events"])]
    events = [[str(event[name] if event[name] is not None else "") for name in header] for event in found["events"]]
    lines += ["", "first events", *(f"  {line}" for line in align(header, events))]
    lines += ["", "first validation rows, the latest items first to last -> the target"]
    lines += [f"  {line}" for line in found["examples"]]
    lines += ["", *(f"⚠ {clean(text, 600)}" for text in found["warnings"])] if found["warnings"] else []
    return lines


def _new(known: dict[str, Any] | None) -> str:
    """What is new against the run whose ids are kept."""
    if known is None:
        return ""
    users, items, events = known["new_users"], known["new_items"], known["new_interactions"]
    return f"{events:+,} events, {users:,} users and {items:,} items against {known['run']}, whose ids are kept"


def _when(read: dict[str, Any]) -> str:
    return "" if read["first"] is None else f", {read['first']} to {read['last']}"


def _ratings(ratings: dict[str, Any] | None) -> str:
    if ratings is None or ratings["lowest"] is None:
        return "" if ratings is None else "all are empty"
    missing = f", {ratings['missing']:,} are empty" if ratings["missing"] else ""
    return f"{ratings['lowest']:g} to {ratings['highest']:g}{missing}"
