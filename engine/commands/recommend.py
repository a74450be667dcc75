"""``engine recommend``: what a trained model would recommend to anybody who has a history."""

import argparse
import json
import sys
from typing import Any

from engine.errors import UserError
from engine.runs.store import Store


def recommend(options: argparse.Namespace) -> int:
    """Print or write recommendations for one person's titles, or for the users of a file."""
    if len(options.words) != 1:
        raise UserError("one run is asked at a time", remedy="engine recommend ID --history TITLE TITLE ...")
    if (options.history is None) == (options.file is None):
        raise UserError("either --history or --file is needed", remedy="engine recommend ID --file histories.csv")
    if options.count < 1:
        raise UserError(f"--count {options.count} is not at least 1", remedy="Write for example --count 10.")
    entry = Store(options.runs).find(options.words[0])
    from engine.evaluate import histories, recommend

    recommender = recommend.load(entry.folder)
    if options.file is not None:
        asked = histories.read_histories(options.file, recommender.catalogue)
    else:
        asked = histories.of_titles(recommender.catalogue, options.history)
    for line in asked.unknown:
        print(line, file=sys.stderr)
    if options.vectors is not None:
        recommend.write_vectors(options.vectors, recommender, asked)
        print(f"vectors of {len(asked.users):,} users in {options.vectors}", file=sys.stderr)
    rows = recommend.rows(recommender, asked, options.count, not options.show_seen)
    if options.csv is not None:
        written = recommend.write_csv(options.csv, rows)
        print(f"{written:,} rows in {options.csv}", file=sys.stderr)
    elif options.json:
        print(json.dumps(list(rows)))
    else:
        _print(list(rows), recommender.name)
    return 0


def _print(rows: list[dict[str, Any]], name: str) -> None:
    from engine.evaluate.table import align

    print(f"{name} recommends")
    for user in dict.fromkeys(row["user"] for row in rows):
        own = [row for row in rows if row["user"] == user]
        cells = [[row["title"], row["raw"], f"{row['score']:.3f}"] for row in own]
        print("\n".join(["", *align([f"to {user}", "id", "score"], cells)]))
