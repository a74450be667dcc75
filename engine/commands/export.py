"""``engine export``: what a run holds, in the files that the published DLLM2Rec reads."""

import argparse
import json
from pathlib import Path

from engine.errors import UserError
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.schema import ARTIFACTS
from engine.stages import ITEM_VECTORS, ITEMS, RANKINGS, SEQUENCES, Artifact


def export(options: argparse.Namespace) -> int:
    """A data run gives the rows to rank and the items' names, a knowledge run the rankings and vectors besides."""
    if len(options.ids) != 1:
        raise UserError("one run is exported at a time", remedy="engine export ID --to DIR")
    store = Store(options.runs)
    entry = store.find(options.ids[0])
    if entry.info.stage not in ("data", "knowledge") or entry.state is not State.DONE:
        raise UserError(
            f"{entry.id} is a {entry.info.stage} run, {entry.state.value}",
            location="engine export",
            remedy="Name a finished data or knowledge run: engine runs DONE.",
        )
    data = entry if entry.info.stage == "data" else store.find(entry.info.inputs["data"])
    if options.to.exists() and not options.to.is_dir():
        raise UserError("this is not a folder", location=str(options.to), remedy="Name another: --to DIR.")
    from engine.data import catalogue
    from engine.data.sequences import Sequences
    from engine.knowledge import files

    sequences = Sequences.load(_made(data, SEQUENCES))
    try:
        files.write_rows(options.to, sequences, catalogue.titles(_made(data, ITEMS)))
        if entry is not data:
            from safetensors.torch import load_file

            from engine.knowledge.rankings import Rankings

            vectors = load_file(_made(entry, ITEM_VECTORS))["vectors"]
            files.write(options.to, Rankings.load(_made(entry, RANKINGS)), vectors, sequences)
    except OSError as error:
        raise UserError(f"the files cannot be written ({error.strerror})", location=str(options.to)) from error
    written = sorted(path.name for path in options.to.iterdir() if path.name in files.WRITTEN)
    if options.json:
        print(json.dumps({"folder": str(options.to), "files": written}))
    else:
        print("\n".join(str(options.to / name) for name in written))
    return 0


def _made(entry: Entry, artifact: Artifact) -> Path:
    return entry.folder / ARTIFACTS / artifact.file
