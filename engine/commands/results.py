"""``engine results``: one row per model and finished evaluation, or mean and spread over seeds."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from engine.errors import UserError
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.report import results as table
from engine.report.csv_files import write
from engine.stages import METRICS_TABLE, makes
from engine.wire import plain


def results(options: argparse.Namespace) -> int:
    """Collect the metrics of finished evaluations and print or write them."""
    if options.splits and (options.format or options.board or options.seeds or options.all):
        raise UserError(
            "--splits goes with none of --seeds, --board, --format and --all", remedy="Leave the others out."
        )
    if options.format and (options.csv is not None or options.json or options.all):
        raise UserError("--format goes with none of --csv, --json and --all", remedy="Leave the others out.")
    every = Store(options.runs).scan()
    if options.board and not options.format:
        return _board(every, options)
    entries = [
        entry
        for entry in every
        if makes(entry.info.stage, METRICS_TABLE)
        and entry.state is State.DONE
        and all(text in f"{entry.id} {entry.info.experiment}" for text in options.filters)
    ]
    if not entries and not options.json and options.csv is None:
        print(f"no finished evaluation in {options.runs}. Start with: engine run", file=sys.stderr)
        return 0
    if options.format:
        return _paper(entries, every, options)
    if options.splits:
        return _splits(entries, every, options)
    if options.seeds:
        return _over_seeds(entries, every, options)
    rows = table.rows([entry.folder for entry in entries], every=options.all)
    if options.csv is not None:
        write(options.csv, partial(table.write_csv, rows), "engine results")
    if options.json:
        print(json.dumps(rows))
    elif options.csv is None:
        print(table.text(rows))
    return 0


def _board(every: Sequence[Entry], options: argparse.Namespace) -> int:
    """An experiment's runs by the settings that differ, and what matters most."""
    from engine.compare import board

    if len(options.filters) > 1:
        raise UserError("a board is of one experiment", remedy="Write one label: engine results LABEL --board")
    found = board.build("".join(options.filters), every, options.metric or "", options.stage or "")
    if options.csv is not None:
        write(options.csv, partial(board.write_csv, found), "engine results LABEL --board")
    if options.json:
        print(json.dumps(plain(found)))
    elif options.csv is None:
        print(board.text(found))
    return 0


def _over_seeds(entries: Sequence[Entry], every: Sequence[Entry], options: argparse.Namespace) -> int:
    """Mean and spread of the models of every setting over its seeds, and tests between them."""
    from engine.compare import models
    from engine.compare.differences import Procedure
    from engine.compare.groups import by_experiment, member_of, repetitions

    by_id = {entry.id: entry for entry in every}
    procedure = Procedure(options.test, options.correction)
    found = []
    rows = {entry.id: table.rows([entry.folder])[0] for entry in entries}
    for group in by_experiment([member_of(entry, by_id) for entry in entries]):
        for one in repetitions(group, [rows[member.entry.id]["targets_hash"] for member in group.members]):
            own = [rows[member.entry.id] for member in one.members]
            found.append(models.compare_models(one, models.protocol_of(one, own), procedure))
    if options.csv is not None:
        write(options.csv, partial(models.write_csv, found), "engine results --seeds")
    if options.json:
        print(json.dumps([asdict(one) for one in found]))
    elif options.csv is None:
        print("\n\n".join(models.text(one) for one in found))
    return 0


def _splits(entries: Sequence[Entry], every: Sequence[Entry], options: argparse.Namespace) -> int:
    """The same models under several splits of the data."""
    from engine.compare import splits
    from engine.compare.groups import member_of

    by_id = {entry.id: entry for entry in every}
    found = splits.compare_splits([member_of(entry, by_id) for entry in entries])
    if options.csv is not None:
        write(options.csv, partial(splits.write_csv, found), "engine results --splits")
    if options.json:
        print(json.dumps([asdict(one) for one in found]))
    elif options.csv is None:
        print("\n\n".join(map(splits.text, found)))
    return 0


def _paper(entries: Sequence[Entry], every: Sequence[Entry], options: argparse.Namespace) -> int:
    """A table for a paper: the models, or with --board the settings that differ."""
    from engine.compare import paper
    from engine.compare.differences import Procedure
    from engine.compare.groups import member_of
    from engine.report import markup

    procedure = Procedure(options.test, options.correction)
    by_id = {entry.id: entry for entry in every}
    rows, protocols = paper.rows_of([member_of(entry, by_id) for entry in entries], procedure)
    if options.format == "csv":
        write(Path("-"), partial(paper.write_csv, rows), "engine results --format csv")
        return 0
    table = (paper.ablation_table if options.board else paper.models_table)(
        rows, paper.notes_of(rows, protocols, procedure)
    )
    render = {"markdown": markup.markdown, "latex": markup.latex, "html": markup.page}[options.format]
    print(render(table))
    return 0
