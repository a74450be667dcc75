"""``engine export``: writes a run as the files that the published DLLM2Rec reads."""

import argparse
import json
import os
from pathlib import Path

from engine.commands.run_ids import run_of
from engine.errors import UserError
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.schema import ARTIFACTS
from engine.stages import ITEM_VECTORS, ITEMS, RANKINGS, SEQUENCES, Artifact, makes


def export(options: argparse.Namespace) -> int:
    """A data run gives the rows to rank and the item titles, a knowledge run also the rankings and item vectors."""
    store = Store(options.runs)
    entry = run_of(store, options.ids, "engine export ID --to DIR")
    if not any(makes(entry.info.stage, one) for one in (SEQUENCES, RANKINGS)) or entry.state is not State.DONE:
        raise UserError(
            f"{entry.id} is a {entry.info.stage} run, {entry.state.value}",
            location="engine export",
            remedy="Name a finished data or knowledge run: engine runs DONE.",
        )
    data = entry if makes(entry.info.stage, SEQUENCES) else store.find(entry.info.inputs[SEQUENCES.stage])
    if os.path.exists(options.to) and not options.to.is_dir():  # unlike Path.exists it raises nothing
        raise UserError("this is not a folder", location=str(options.to), remedy="Choose another one: --to DIR.")
    from engine.data import catalogue
    from engine.data.sequences import Sequences
    from engine.knowledge import files

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
    written = sorted(path.name for path in options.to.iterdir() if path.name in files.WRITTEN)
    if options.json:
        print(json.dumps({"folder": str(options.to), "files": written}))
    else:
        print("\n".join(str(options.to / name) for name in written))
    return 0


def _path(entry: Entry, artifact: Artifact) -> Path:
    return entry.folder / ARTIFACTS / artifact.file
