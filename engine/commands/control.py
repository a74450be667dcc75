"""``engine stop``, ``engine resume`` and ``engine rm``: act on runs by id."""

import argparse
import json
import sys

from engine.commands.follow import follow
from engine.commands.outcome import outcome
from engine.errors import UserError
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.text import clean_lines


def stop(options: argparse.Namespace) -> int:
    """Ask runs to end: with a checkpoint now, after their next evaluation, or at once without one."""
    store = Store(options.runs)
    when = "kill" if options.kill else "evaluation" if options.after_evaluation else "now"
    asked: list[Entry] = []
    refused: list[UserError] = []
    for entry in _named(store, options.ids):
        try:
            store.stop(entry, when)
            asked.append(entry)
        except UserError as error:  # one that has ended meanwhile does not keep the others at work
            refused.append(error)
    if asked or not refused:
        _report([store.entry(entry.folder) for entry in asked], options.json)
    for refusal in refused[:-1]:
        print(clean_lines(f"error: {refusal}"), file=sys.stderr)
    if refused:
        raise refused[-1]
    return 0


def resume(options: argparse.Namespace) -> int:
    """Go on with runs that were stopped, killed or lost, and with whatever they still need."""
    store = Store(options.runs)
    ids: list[str] = []
    for entry in _named(store, options.ids):
        for run in _interrupted(store, entry):
            if run not in ids:
                store.resume(store.entry(store.root / run))
                ids.append(run)
    if options.detach:
        return _report([store.entry(store.root / run) for run in ids], options.json)
    entries = follow(store, ids)
    if any(entry.state is not State.DONE for entry in entries):
        return 1
    print(outcome(entries[-1]))
    return 0


def remove(options: argparse.Namespace) -> int:
    """Delete runs that have ended and that no other run was made from."""
    store = Store(options.runs)
    entries = _named(store, options.ids)
    for entry in entries:
        store.remove(entry, force=options.force)
        print(f"removed {entry.id}", file=sys.stderr)
    if options.json:
        print(json.dumps([entry.id for entry in entries]))
    return 0


def _interrupted(store: Store, entry: Entry) -> list[str]:
    """The run and the unfinished runs it waits for, makers first."""
    needed: list[str] = []
    for maker in entry.info.inputs.values():
        other = store.entry(store.root / maker)
        if other.state in (State.STOPPED, State.KILLED, State.LOST):
            needed += _interrupted(store, other)
    return [*needed, entry.id]


def _named(store: Store, words: list[str]) -> list[Entry]:
    if not words:
        raise UserError("which run?", remedy="Give an id from `engine runs`, the start of one, or `last`.")
    return [store.find(word) for word in words]


def _report(entries: list[Entry], as_json: bool) -> int:
    if as_json:
        print(json.dumps({entry.id: entry.state for entry in entries}))
    else:
        for entry in entries:
            print(f"{entry.id}  {entry.state}  {entry.status.reason}".rstrip(), file=sys.stderr)
    return 0
