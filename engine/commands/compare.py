"""``engine compare``: runs and groups of seeds side by side, with what may be said about their difference."""

import argparse
import json
import sys
from dataclasses import asdict

from engine.compare import report, table
from engine.compare.curves import Band, curves
from engine.compare.groups import resolve
from engine.errors import UserError
from engine.runs.store import Store


def compare(options: argparse.Namespace) -> int:
    """Print a comparison, or write its metric rows; with --curve also a metric over the steps."""
    groups = resolve(options.words, Store(options.runs), options.stage)
    comparison = report.build(groups)
    bands = curves(groups, options.curve) if options.curve else []
    if options.csv is not None:
        _write(options, comparison)
    if options.json:
        told = [asdict(band) if band else None for band in bands]
        extra = {"curve": {"metric": options.curve, "groups": told}} if options.curve else {}
        print(json.dumps(comparison.as_json() | extra))
    elif options.csv is None or str(options.csv) != "-":
        print(table.text(comparison, options.all))
        if bands:
            print()
            print(_chart(bands, options.curve))
    return 0


def _write(options: argparse.Namespace, comparison: report.Comparison) -> None:
    if str(options.csv) == "-":
        report.write_csv(comparison, sys.stdout)
        return
    try:
        with options.csv.open("w", encoding="utf-8", newline="") as file:
            count = report.write_csv(comparison, file)
    except OSError as error:
        raise UserError(
            f"the table cannot be written: {error.strerror}",
            place=str(options.csv),
            remedy="Choose a file in a folder that exists and has room: engine compare A B --csv FILE",
        ) from error
    print(f"{count} rows in {options.csv}", file=sys.stderr)


def _chart(bands: list[Band | None], metric: str) -> str:
    """Means as capital letters over the ranges of their seeds as small ones."""
    from engine.commands.chart import lettered

    shown = [(table.letter(place)[0], band) for place, band in enumerate(bands) if band is not None]
    edges = [(name.lower(), (band.steps, edge)) for name, band in shown for edge in (band.low, band.high)]
    means = [(name, (band.steps, band.mean)) for name, band in shown]
    return lettered([*edges, *means], f"{metric}  A mean of the seeds, a their range")
