"""``engine doctor``: checks an experiment before it is trained, or a run afterwards."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine import config as configuration
from engine.commands.overrides import stage_and_settings, with_source
from engine.config import Config
from engine.errors import UserError
from engine.experiments.plan import fingerprints, inputs_of, pipeline
from engine.jobs.state import State
from engine.jobs.store import Store
from engine.runs.lineage import folders
from engine.runs.schema import CONFIG
from engine.runs.text import clean, clean_lines
from engine.stages import STAGES
from engine.wire import DoctorProgress, Examination, ReportedCheck, plain

if TYPE_CHECKING:
    from engine.doctor.table import CheckResult

GLYPHS = {"pass": "✓", "warn": "⚠", "fail": "✗", "skip": "·"}


def doctor(options: argparse.Namespace) -> int:
    """Run the checks; exit status 2 when one fails."""
    if options.list:
        return _list(options.json)
    store = Store(options.runs)
    target, config, finished = _examined(store, options.overrides)
    begin = time.monotonic()
    order = pipeline(target, config)
    from engine.doctor import table
    from engine.doctor.case import Case

    checks = table.chosen([stage.name for stage in order], options.only or ())
    if not checks:
        raise UserError(
            f"no check of {target} has {' or '.join(options.only)} in its name",
            remedy="engine doctor --list prints the names.",
        )
    results: list[CheckResult] = []

    def begins(phase: str) -> None:
        print(f"{time.monotonic() - begin:5.1f} s  {phase}", file=sys.stderr, flush=True)
        if options.json and options.lines:
            _line(DoctorProgress(len(results), len(checks), now=phase))

    with tempfile.TemporaryDirectory(prefix="engine-doctor-") as scratch:
        case = Case(
            config,
            {stage.name: inputs_of(stage, config) for stage in order},
            finished,
            Path(scratch),
            begins,
            store.root,
        )
        for result in table.examine(case, checks):
            results.append(result)
            if not options.json:
                print(_text(result), flush=True)
            elif options.lines:
                _line(DoctorProgress(len(results), len(checks), found=_reported(result)))
    verdicts = [result.outcome.verdict for result in results]
    sound, seconds = "fail" not in verdicts, time.monotonic() - begin
    if options.json:
        answer = Examination(sound, round(seconds, 1), [_reported(one) for one in results])
        print(json.dumps(plain(answer)))
    else:
        counts = "  ".join(
            f"{glyph} {verdicts.count(verdict)}" for verdict, glyph in GLYPHS.items() if verdict in verdicts
        )
        print(f"\n{'sound' if sound else 'NOT SOUND'}: {counts}  in {seconds:.0f} s")
    return 0 if sound else 2


def _examined(store: Store, overrides: Sequence[str]) -> tuple[str, Config, dict[str, Path]]:
    """The stage, its configuration and its finished runs: of a run id, or of settings and the runs they would reuse."""
    if len(overrides) == 1 and "=" not in overrides[0] and overrides[0] not in STAGES:
        entry = store.find(overrides[0])
        made_from = reversed(folders(entry.folder, named=False))  # the nearest of a stage stays
        behind = (store.entry(folder) for folder in made_from)
        done = {one.info.stage: one.folder for one in behind if one.state is State.DONE}
        return entry.info.stage, configuration.read(entry.folder / CONFIG), done
    target, settings = stage_and_settings(overrides)
    config = configuration.load(with_source(settings))
    prints = fingerprints(pipeline(target, config), config, store.root)
    finished = {
        entry.info.stage: entry.folder  # of equal ones the newest, as a plan would reuse it
        for entry in store.scan()
        if entry.state is State.DONE and prints.get(entry.info.stage) == entry.info.fingerprint
    }
    return target, config, finished


def _line(progress: DoctorProgress) -> None:
    print(json.dumps(plain(progress)), flush=True)


def _reported(result: "CheckResult") -> ReportedCheck:
    outcome = result.outcome
    evidence, cause, remedy = map(clean_lines, (outcome.evidence, outcome.cause, outcome.remedy))
    seconds = round(result.seconds, 2)
    return ReportedCheck(result.check.name, result.check.stage, outcome.verdict, evidence, cause, remedy, seconds)


def _text(result: "CheckResult") -> str:
    outcome = result.outcome
    lines = [f"{GLYPHS[outcome.verdict]} {result.check.name:<28} {clean(outcome.evidence, 400)}"]
    if outcome.cause:
        lines.append(f"    cause:  {clean(outcome.cause, 400)}")
    if outcome.remedy:
        lines.append(f"    remedy: {clean(outcome.remedy, 400)}")
    return "\n".join(lines)


def _list(as_json: bool) -> int:
    """Every check, the fault it detects and the test that plants this fault."""
    from engine.doctor.table import CHECKS, markdown

    rows = [{"check": c.name, "about": c.stage, "catches": c.detects, "proven": c.test} for c in CHECKS]
    print(json.dumps(rows) if as_json else markdown())
    return 0
