"""``engine compare``: runs and groups of seeds side by side, with significance tests."""

import argparse
import json
from functools import partial

from engine.compare import report, table
from engine.compare.curves import curves
from engine.compare.differences import Procedure
from engine.compare.groups import resolve
from engine.jobs.store import Store
from engine.metrics.band import Band
from engine.report.csv_files import write
from engine.wire import plain


def compare(options: argparse.Namespace) -> int:
    """Print a comparison, or write its metric rows; with --curve also plot a metric over the steps."""
    groups = resolve(options.groups, Store(options.runs), options.stage)
    comparison = report.build(groups, Procedure(options.test, options.correction))
    bands = curves(groups, options.curve) if options.curve else []
    if options.csv is not None:
        write(options.csv, partial(report.write_csv, comparison), "engine compare A B")
    if options.json:
        groups_json = [_curve(band) if band else None for band in bands]
        extra = {"curve": {"metric": options.curve, "groups": groups_json}} if options.curve else {}
        print(json.dumps(plain(comparison) | extra))
    elif options.csv is None or str(options.csv) != "-":
        print(table.text(comparison, options.all))
        if bands:
            print()
            print(_chart(bands, options.curve))
    return 0


def _curve(band: Band) -> dict[str, list[float]]:
    steps = [int(step) for step in band.x]
    return {"steps": steps, "mean": band.mean.tolist(), "low": band.low.tolist(), "high": band.high.tolist()}


def _chart(bands: list[Band | None], metric: str) -> str:
    """Means as capital letters, the ranges over seeds as small letters."""
    from engine.report.chart import lettered

    shown = [(table.letter(index)[0], band) for index, band in enumerate(bands) if band is not None]
    edges = [(name.lower(), (band.x.tolist(), edge.tolist())) for name, band in shown for edge in (band.low, band.high)]
    means = [(name, (band.x.tolist(), band.mean.tolist())) for name, band in shown]
    return lettered([*edges, *means], f"{metric}  A mean over seeds, a range")
