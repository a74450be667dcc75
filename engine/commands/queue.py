"""``engine queue``: what works, what waits and why, in the order of turns; change the order, pause, go on."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from engine.commands.follow import clock
from engine.errors import UserError
from engine.jobs import queue as line
from engine.jobs.forecast import Ended, Job, forecast, usual
from engine.jobs.queue import MOVES, Use, Waiting
from engine.jobs.state import State
from engine.jobs.store import Entry, Store

VERBS = (*MOVES, "pause", "unpause")


def queue(options: argparse.Namespace) -> int:
    """Without words the queue; with a verb and run ids that is done to the runs first."""
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
        line.move(store.root, run, verb)
    else:
        line.pause(store.root, run, verb == "pause")


def report(store: Store) -> list[dict[str, Any]]:
    """Runs at work, then those that wait in the order of their turns. Times in seconds from now, None if unknown."""
    entries = {entry.id: entry for entry in store.scan()}
    uses, waiting = line.look(store.root)
    slots, turns = {use.run: use for use in uses if use.run}, {one.run: one for one in waiting}
    living = [entry for entry in entries.values() if entry.state.living]
    order = sorted(living, key=lambda entry: (entry.id in turns, turns[entry.id].key if entry.id in turns else ()))
    times = forecast(_jobs(order, list(entries.values()), slots, turns))
    rows = []
    for entry in order:
        own, turn = slots.get(entry.id), turns.get(entry.id)
        same = [one.run for one in waiting if turn and (one.host, one.device) == (turn.host, turn.device)]
        begins, ends = times[entry.id]
        rows.append(
            {
                "run": entry.id,
                "stage": entry.info.stage,
                "state": entry.state.value,
                "turn": same.index(entry.id) + 1 if turn else None,
                "host": entry.info.host,
                "slot": f"{own.device} {own.slot}" if own else turn.device if turn else "",
                "paused": bool(turn and turn.turn.paused),
                "begins": begins,
                "ends": ends,
                "why": _why(entry, entries, turn, waiting, uses),
            }
        )
    return rows


def _jobs(
    order: Sequence[Entry], entries: Sequence[Entry], slots: dict[str, Use], turns: dict[str, Waiting]
) -> list[Job]:
    ended = [
        Ended(entry.info.stage, entry.info.experiment, entry.info.created, entry.end.wall)
        for entry in entries
        if entry.state is State.DONE and entry.end
    ]
    jobs = []
    for entry in order:
        turn, use = turns.get(entry.id), slots.get(entry.id)
        place = turn or use
        at_work = entry.state in (State.RUNNING, State.STALLED)
        left = usual(entry.info.stage, entry.info.experiment, ended)
        if at_work:
            told = entry.summary.eta if entry.summary else None
            begun = entry.summary.started if entry.summary else time.time()
            left = told if told is not None else max(left - (time.time() - begun), 0.0) if left is not None else None
        jobs.append(
            Job(
                entry.id,
                left,
                (place.host, place.device) if place else None,
                turn.count if turn else 1,
                use.slot if use else None,
                tuple(entry.info.inputs.values()),
                at_work,
                bool(turn and turn.turn.paused),
            )
        )
    return jobs


def _why(
    entry: Entry, entries: dict[str, Entry], turn: Waiting | None, waiting: Sequence[Waiting], uses: Sequence[Use]
) -> str:
    """What keeps a run from working: a person, an input, or those before it."""
    if turn is None or (entry.state is State.WAITING and not turn.turn.paused):
        makers = [entries[run] for run in entry.info.inputs.values() if run in entries]
        missing = ", ".join(maker.id for maker in makers if maker.state is not State.DONE)
        return f"for {missing}" if missing and entry.state is State.WAITING else entry.status.reason
    return line.why(turn, waiting, uses) if entry.state in (State.QUEUED, State.WAITING) else entry.status.reason
