"""``engine export``: a run as files for other programs."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from engine.commands.run_ids import run_of
from engine.errors import UserError
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.schema import ARTIFACTS
from engine.stages import ITEM_VECTORS, ITEMS, RANKINGS, SEQUENCES, Artifact, makes

LISTED = 100  # items of a list of the exported model
FOR_MODEL = {"format": "--format", "model": "--model", "count": "--count", "show_seen": "--show-seen"}
USAGES = {
    "model": "engine export model ID --to DIR --format onnx",
    "adapter": "engine export adapter ID --to DIR [--user ID]",
    "": "engine export ID --to DIR",
}


def export(options: argparse.Namespace) -> int:
    """``model`` gives the student, ``adapter`` the teacher's experts; without a word: DLLM2Rec's files."""
    word = options.ids[0] if options.ids and options.ids[0] in USAGES else ""
    unfit = [flag for name, flag in FOR_MODEL.items() if word != "model" and getattr(options, name) is not None]
    unfit += ["--user"] if word != "adapter" and options.user is not None else []
    if unfit:
        raise UserError(
            f"{unfit[0]} does not belong to this form of the command",
            location="engine export",
            remedy=f"Leave it out, or write: {USAGES['adapter' if unfit[0] == '--user' else 'model']}",
        )
    if os.path.exists(options.to) and not options.to.is_dir():  # unlike Path.exists it raises nothing
        raise UserError("this is not a folder", location=str(options.to), remedy="Choose another one: --to DIR.")
    store = Store(options.runs)
    entry = run_of(store, options.ids[1:] if word else options.ids, USAGES[word])
    form: Callable[[Store, Entry, argparse.Namespace], list[str]] = {"model": _model, "adapter": _adapter}.get(
        word, _published
    )
    written = form(store, entry, options)
    if options.json:
        print(json.dumps({"folder": str(options.to), "files": written}))
    else:
        print("\n".join(str(options.to / name) for name in written))
    return 0


def _model(store: Store, entry: Entry, options: argparse.Namespace) -> list[str]:
    count = LISTED if options.count is None else options.count
    if count < 1:
        raise UserError("a list has at least one item", location="--count", remedy="Give a number of at least 1.")
    from engine.shipping import student_export

    subject = student_export.subject_of(store, entry, options.model)
    formats = options.format or [student_export.ONNX]
    hide_seen = None if options.show_seen is None else not options.show_seen
    found = student_export.export(subject, options.to, formats, count, hide_seen)
    if found.agreement is not None:
        print(
            f"{subject.name} of {subject.run.name}: over {found.agreement.rows:,} histories ONNX Runtime differs by at "
            f"most {found.agreement.scores:.2g} in scores, {found.agreement.users:.2g} in user vectors",
            file=sys.stderr,
        )
    return found.files


def _adapter(store: Store, entry: Entry, options: argparse.Namespace) -> list[str]:
    from engine.shipping import peft_adapter

    found = peft_adapter.export(entry.folder, options.to, options.user)
    weights = "  ".join(f"e{number} {weight:.3f}" for number, weight in enumerate(found.mixture))
    print(f"experts of {found.run}, mixed {weights}", file=sys.stderr)
    return found.files


def _published(store: Store, entry: Entry, options: argparse.Namespace) -> list[str]:
    """A data run gives the rows to rank and the item titles, a knowledge run also the rankings and item vectors."""
    if not any(makes(entry.info.stage, one) for one in (SEQUENCES, RANKINGS)) or entry.state is not State.DONE:
        raise UserError(
            f"{entry.id} is a {entry.info.stage} run, {entry.state.value}",
            location="engine export",
            remedy="Name a finished data or knowledge run (engine runs DONE), or: engine export model ID --to DIR",
        )
    from engine.data import catalogue
    from engine.data.sequences import Sequences
    from engine.knowledge import files

    data = entry if makes(entry.info.stage, SEQUENCES) else store.find(entry.info.inputs[SEQUENCES.stage])
    sequences = Sequences.load(_path(data, SEQUENCES))
    try:
        files.write_rows(options.to, sequences, catalogue.titles(_path(data, ITEMS)))
        if entry is not data:
            from safetensors.torch import load_file

            from engine.knowledge.rankings import Rankings

            vectors = load_file(_path(entry, ITEM_VECTORS))["vectors"]
            files.write(options.to, Rankings.load(_path(entry, RANKINGS)), vectors, sequences)
    except OSError as error:
        raise UserError(f"the files cannot be written ({error.strerror})", location=str(options.to)) from error
    return sorted(path.name for path in options.to.iterdir() if path.name in files.WRITTEN)


def _path(entry: Entry, artifact: Artifact) -> Path:
    return entry.folder / ARTIFACTS / artifact.file
