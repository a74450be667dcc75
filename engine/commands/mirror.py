"""``engine mirror``: copies of runs for TensorBoard, MLflow and Weights & Biases, made from the event files."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.errors import RunError, UserError
from engine.jobs.store import Entry, Store
from engine.mirror.copying import MLFLOW, TARGETS, copy_once, follow, opener
from engine.runs.files import hold, make_folder

LOCK = ".mirror.lock"


def mirror(options: argparse.Namespace) -> int:
    """Copy runs as they are, or with ``--follow`` as they grow."""
    target, to = options.to
    if target not in TARGETS:
        raise UserError(
            f"runs cannot be copied to {target!r}", location="--to", remedy=f"Choose one of: {', '.join(TARGETS)}."
        )
    store = Store(options.runs)
    lock = None if target == MLFLOW and "://" in to else _only_one(Path(to))
    try:
        open_mirror = opener(target, to)
        if options.follow:
            follow(store, lambda: chosen(store, options.ids), open_mirror, _complain, forever=not options.ids)
            return 0
        counts: dict[str, int] = {}
        copy_once(store, chosen(store, options.ids), open_mirror, counts.__setitem__)
    finally:
        if lock is not None:
            os.close(lock)
    if options.json:
        print(json.dumps({"to": to, "points": counts}))
    else:
        print("\n".join(f"{run}  {count:,} new points" for run, count in counts.items()))
    return 0


def chosen(store: Store, words: Sequence[str]) -> list[Entry]:
    """The runs that the words name: ids, or labels of experiments; all for no word. UserError for an unknown one."""
    entries = store.scan()
    if not words:
        return entries
    labels = {entry.info.experiment for entry in entries}
    found = {
        entry.id: entry
        for word in words
        for entry in ([one for one in entries if one.info.experiment == word] if word in labels else [store.find(word)])
    }
    return list(found.values())


def _only_one(folder: Path) -> int:
    lock = hold(make_folder(folder) / LOCK)
    if lock is None:
        raise RunError(
            "another mirror is writing here", location=str(folder), remedy="Choose another folder, or end that one."
        )
    return lock


def _complain(run: str, error: RunError) -> None:
    print(f"{run}: {error}\nTrying again.", file=sys.stderr)
