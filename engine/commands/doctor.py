"""``engine doctor``: is this experiment sound? Before anything is trained, or a run after."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine import config as configuration
from engine.commands.overrides import DEFAULT_STAGE, stage_and_settings
from engine.config import Config
from engine.errors import UserError
from engine.experiments.plan import fingerprints, inputs_of, pipeline
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.schema import CONFIG
from engine.runs.text import clean, clean_lines
from engine.stages import STAGES

GLYPHS = {"pass": "✓", "warn": "⚠", "fail": "✗", "skip": "·"}


def doctor(options: argparse.Namespace) -> int:
    """Run the checks; exit status 2 when one fails."""
    if options.list:
        return _list(options.json)
    store = Store(options.runs)
    target, config, finished = _asked(store, options.overrides)
    begin = time.monotonic()
    order = pipeline(target, config)
    from engine.doctor import table
    from engine.doctor.case import Case

    checks = table.chosen([stage.name for stage in order], options.only or ())
    if not checks:
        raise UserError(
            f"no check about {target} is called {' or '.join(options.only)}", remedy="engine doctor --list names them."
        )
    found: list[table.Found] = []
    with tempfile.TemporaryDirectory(prefix="engine-doctor-") as scratch:
        case = Case(
            config,
            {stage.name: inputs_of(stage, config) for stage in order},
            finished,
            Path(scratch),
            lambda phase: print(f"{time.monotonic() - begin:5.1f} s  {phase}", file=sys.stderr, flush=True),
        )
        for one in table.examine(case, checks):
            found.append(one)
            if not options.json:
                print(_told(one), flush=True)
    failed = [one for one in found if one.outcome.verdict == "fail"]
    seconds = time.monotonic() - begin
    if options.json:
        print(json.dumps({"sound": not failed, "seconds": round(seconds, 1), "checks": [_row(one) for one in found]}))
    else:
        counts = {glyph: sum(GLYPHS[one.outcome.verdict] == glyph for one in found) for glyph in GLYPHS.values()}
        told = "  ".join(f"{glyph} {count}" for glyph, count in counts.items() if count)
        print(f"\n{'NOT SOUND' if failed else 'sound'}: {told}  in {seconds:.0f} s")
    return 2 if failed else 0


def _asked(store: Store, words: Sequence[str]) -> tuple[str, Config, dict[str, Path]]:
    """The stage, its configuration and the finished runs: of a run, or of settings and whatever would be reused."""
    names = [word for word in words if "=" not in word]
    if len(names) == 1 and names[0] not in STAGES and len(names) == len(words):
        entry = store.find(names[0])
        return entry.info.stage, configuration.read(entry.folder / CONFIG), _lineage(store, entry)
    target, settings = stage_and_settings(words) if names else (DEFAULT_STAGE, list(words))
    config = configuration.load(settings)
    prints = fingerprints(pipeline(target, config), config, store.root)
    finished = {
        entry.info.stage: entry.folder  # of equal ones the newest, as a plan would reuse it
        for entry in store.scan()
        if entry.state is State.DONE and prints.get(entry.info.stage) == entry.info.fingerprint
    }
    return target, config, finished


def _lineage(store: Store, entry: Entry) -> dict[str, Path]:
    """The run and what it was made from, as far as it is finished and there."""
    found: dict[str, Path] = {}
    todo = [entry]
    while todo:
        one = todo.pop()
        if one.state is State.DONE:
            found[one.info.stage] = one.folder
        todo += [store.entry(store.root / run) for run in one.info.inputs.values() if (store.root / run).is_dir()]
    return found


def _row(one: Any) -> dict[str, Any]:
    return {
        "check": one.check.name,
        "about": one.check.about,
        "verdict": one.outcome.verdict,
        "evidence": clean_lines(one.outcome.evidence),
        "cause": clean_lines(one.outcome.cause),
        "remedy": clean_lines(one.outcome.remedy),
        "seconds": round(one.seconds, 2),
    }


def _told(one: Any) -> str:
    outcome = one.outcome
    lines = [f"{GLYPHS[outcome.verdict]} {one.check.name:<28} {clean(outcome.evidence, 400)}"]
    if outcome.cause:
        lines.append(f"    cause:  {clean(outcome.cause, 400)}")
    if outcome.remedy:
        lines.append(f"    remedy: {clean(outcome.remedy, 400)}")
    return "\n".join(lines)


def _list(as_json: bool) -> int:
    """Every check, what it catches and the test that plants its fault."""
    from engine.doctor.table import CHECKS

    rows = [{"check": c.name, "about": c.about, "catches": c.catches, "proven": c.proven} for c in CHECKS]
    if as_json:
        print(json.dumps(rows))
        return 0
    print(f"{'check':<28} {'about':<10} {'catches':<90} proven by")
    for row in rows:
        print(f"{row['check']:<28} {row['about']:<10} {row['catches']:<90} {row['proven']}")
    return 0
