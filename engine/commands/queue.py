"""``engine queue``: which runs work or wait, in order and why; changes the order, pauses and continues waiting runs."""

import argparse
import json
import sys
import time
from typing import Any

from engine.commands.follow import clock
from engine.errors import UserError
from engine.jobs import queue as slots
from engine.jobs.queue import MOVES
from engine.jobs.queue_rows import RunFacts, queue_rows
from engine.jobs.store import Entry, Store

VERBS = (*MOVES, "pause", "unpause")


def queue(options: argparse.Namespace) -> int:
    """Prints the queue; a verb and run ids change it first."""
    store = Store(options.runs)
    if options.arguments:
        verb, *names = options.arguments
        if verb not in VERBS:
            raise UserError(f"engine queue cannot {verb!r}", remedy=f"It can {', '.join(VERBS)}, each with run ids.")
        if not names:
            raise UserError("which run?", remedy=f"engine queue {verb} ID, an id from `engine queue`.")
        ids = [store.find(name).id for name in names]
        for run in reversed(ids) if verb == "first" else ids:  # several keep their order among themselves
            change(store, run, verb)
    rows = report(store)
    if options.json:
        print(json.dumps(rows))
        return 0
    if not rows:
        print(f"nothing works or waits in {options.runs}", file=sys.stderr)
        return 0
    print(f"{'turn':>4} {'state':<8} {'run':<32} {'slot':<10} {'begins':>8} {'done':>8}  why")
    for row in rows:
        begins, ends = (clock(row[name]) if row[name] is not None else "-" for name in ("begins", "ends"))
        print(
            f"{row['turn'] or '':>4} {row['state']:<8} {row['run']:<32} {row['slot']:<10} {begins:>8} {ends:>8}  "
            f"{row['why']}".rstrip()
        )
    return 0


def change(store: Store, run: str, verb: str) -> None:
    """Move, pause or unpause a run that waits."""
    if verb in MOVES:
        slots.move(store.root, run, verb)
    else:
        slots.pause(store.root, run, verb == "pause")


def report(store: Store) -> list[dict[str, Any]]:
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
