"""``engine results``: one row per model and finished evaluation."""

import argparse
import json
import sys

from engine import results as table
from engine.errors import UserError
from engine.runs.state import State
from engine.runs.store import Store


def results(options: argparse.Namespace) -> int:
    """Collect the metrics of finished evaluations and print or write them."""
    store = Store(options.runs)
    folders = [
        entry.folder
        for entry in store.scan()
        if entry.info.stage == "evaluate"
        and entry.state is State.DONE
        and all(word in f"{entry.id} {entry.info.experiment}" for word in options.words)
    ]
    rows = table.rows(folders, every=options.all)
    if options.json:
        print(json.dumps(rows))
    elif options.csv is not None and str(options.csv) != "-":
        try:
            with options.csv.open("w", encoding="utf-8", newline="") as file:
                table.write_csv(rows, file)
        except OSError as error:
            raise UserError(
                f"the table cannot be written: {error.strerror}",
                place=str(options.csv),
                remedy="Choose a file in a folder that exists and has room: engine results --csv FILE",
            ) from error
        print(f"{len(rows)} rows in {options.csv}", file=sys.stderr)
    elif options.csv is not None:
        table.write_csv(rows, sys.stdout)
    elif rows:
        print(table.text(rows))
    else:
        print(f"no finished evaluation in {options.runs}. Start with: engine run", file=sys.stderr)
    return 0
