"""``engine stop``, ``engine resume`` and ``engine rm``: stop, continue and delete runs."""

import argparse
import json
import sys
from collections.abc import Sequence

from engine.commands.follow import follow
from engine.commands.run_ids import runs_of
from engine.commands.run_text import facts, result_text
from engine.errors import UserError
from engine.jobs.state import INTERRUPTED, State
from engine.jobs.store import Entry, Store
from engine.runs.text import clean_lines


def stop(options: argparse.Namespace) -> int:
    """Ask runs to end: with a checkpoint now, after their next evaluation, or at once without one."""
    store = Store(options.runs)
    when = "kill" if options.kill else "evaluation" if options.after_evaluation else "now"
    asked: list[Entry] = []
    errors: list[UserError] = []
    for entry in runs_of(store, options.ids):
        try:
            store.stop(entry, when)
            asked.append(entry)
        except UserError as error:  # a run that has ended must not keep the others from stopping
            errors.append(error)
    if asked or not errors:
        _report([store.entry(entry.folder) for entry in asked], options.json)
    for refusal in errors[:-1]:
        print(clean_lines(f"error: {refusal}"), file=sys.stderr)
    if errors:
        raise errors[-1]
    return 0


def resume(options: argparse.Namespace) -> int:
    """Continue stopped, killed and lost runs, together with the unfinished runs they wait for."""
    store = Store(options.runs)
    ids: list[str] = []
    for entry in runs_of(store, options.ids):
        for run in _unfinished(store, entry):
            if run not in ids:
                store.resume(store.entry(store.root / run))
                ids.append(run)
    if options.detach:
        _report([store.entry(store.root / run) for run in ids], options.json)
        return 0
    entries = follow(store, ids)
    if any(entry.state is not State.DONE for entry in entries):
        return 1
    print(json.dumps(facts(entries[-1])) if options.json else result_text(entries[-1]))
    return 0


def remove(options: argparse.Namespace) -> int:
    """Delete runs that have ended and that are no input of another run."""
    store = Store(options.runs)
    entries = runs_of(store, options.ids)
    for entry in entries:
        store.remove(entry, force=options.force)
        print(f"removed {entry.id}", file=sys.stderr)
    if options.json:
        print(json.dumps([entry.id for entry in entries]))
    return 0


def _unfinished(store: Store, entry: Entry) -> list[str]:
    """The run and the unfinished runs it waits for, in topological order."""
    inputs = (store.entry(store.root / run) for run in entry.info.inputs.values())
    unfinished = (one for one in inputs if one.state in INTERRUPTED or one.never_began)
    return [*(run for one in unfinished for run in _unfinished(store, one)), entry.id]


def _report(entries: Sequence[Entry], as_json: bool) -> None:
    if as_json:
        print(json.dumps({entry.id: entry.state for entry in entries}))
    else:
        for entry in entries:
            print(f"{entry.id}  {entry.state}  {entry.status.reason}".rstrip(), file=sys.stderr)
