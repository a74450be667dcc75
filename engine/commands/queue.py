"""``engine queue``: the running and waiting runs in order; reorders and pauses waiting ones."""

import argparse
import json
import sys
import time
from typing import Any

from engine.errors import UserError
from engine.jobs import queue as slots
from engine.jobs.queue import MOVES
from engine.jobs.queue_rows import RunFacts, queue_rows
from engine.jobs.store import Entry, Store
from engine.report.numbers import NOTHING, duration

ACTIONS = (*MOVES, "pause", "unpause")


def queue(options: argparse.Namespace) -> int:
    """Prints the queue; an action with run ids changes it first."""
    store = Store(options.runs)
    if options.arguments:
        action, *names = options.arguments
        if action not in ACTIONS:
            raise UserError(
                f"engine queue has no action {action!r}", remedy=f"Actions: {', '.join(ACTIONS)}, each with run ids."
            )
        if not names:
            raise UserError("no run is named", remedy=f"engine queue {action} ID, an id from `engine queue`.")
        ids = [store.find(name).id for name in names]
        for run in reversed(ids) if action == "first" else ids:  # several keep their order among themselves
            if action in MOVES:
                slots.move(store.root, run, action)
            else:
                slots.pause(store.root, run, action == "pause")
    rows = _report(store)
    if options.json:
        print(json.dumps(rows))
        return 0
    if not rows:
        print(f"no run is running or waiting in {options.runs}", file=sys.stderr)
        return 0
    print(f"{'turn':>4} {'state':<8} {'run':<32} {'slot':<10} {'begins':>8} {'done':>8}  why")
    for row in rows:
        begins, ends = (NOTHING if row[name] is None else duration(row[name]) for name in ("begins", "ends"))
        print(
            f"{row['turn'] or '':>4} {row['state']:<8} {row['run']:<32} {row['slot']:<10} {begins:>8} {ends:>8}  "
            f"{row['why']}".rstrip()
        )
    return 0


def _report(store: Store) -> list[dict[str, Any]]:
    """The rows of the queue. Times in seconds from now, None if unknown."""
    entries = {entry.id: entry for entry in store.scan()}
    rows = queue_rows({run: _facts(entry) for run, entry in entries.items()}, *slots.snapshot(store.root), time.time())
    return [
        {
            "run": row.run.id,
            "stage": row.run.stage,
            "state": row.run.state,
            "turn": row.position,
            "host": entries[row.run.id].info.host,
            "slot": row.slot,
            "paused": row.paused,
            "begins": row.begins,
            "ends": row.ends,
            "why": f"paused; go on with: engine queue unpause {row.run.id}" if row.paused else row.reason,
        }
        for row in rows
    ]


def _facts(entry: Entry) -> RunFacts:
    info, summary, end = entry.info, entry.summary, entry.end
    return RunFacts(
        entry.id,
        info.stage,
        info.experiment,
        entry.state.value,
        entry.status.reason,
        info.created,
        summary.started if summary else None,
        summary.eta if summary else None,
        end.wall if end else None,
        info.inputs,
    )
