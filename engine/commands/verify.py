"""``engine verify``: runs a result again and says whether it lies inside its band."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from engine.commands.follow import follow
from engine.commands.run import explain
from engine.errors import RunError, UserError
from engine.experiments import verify as verification
from engine.experiments.launch import Request, start
from engine.experiments.verify import Change, Checked, Claim
from engine.jobs.state import State
from engine.jobs.store import Store
from engine.report.numbers import NOTHING, fixed, setting
from engine.report.tables import align, wrapped
from engine.runs.text import clean_lines
from engine.stages import METRICS_TABLE

FOLDER = ".verify"  # below the runs: a new folder each time, so that nothing is reused


def verify(options: argparse.Namespace) -> int:
    """Run an experiment with declared figures, or a finished evaluation, again; exit status 1 where it is outside."""
    store = Store(options.runs)
    claim = _claim(options.overrides, store)
    again = Store(store.root / FOLDER / f"{claim.name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
    request = Request(METRICS_TABLE.stage, claim.overrides, claim.label, again=False)
    steps = start(request, claim.config, again)
    print(f"{claim.name} is run again in {again.root}", file=sys.stderr)
    entries = follow(again, [step.run for step in steps])
    if entries[-1].state is not State.DONE:
        return explain(entries)
    folder = entries[-1].folder
    figures, changes = verification.checked(claim, folder), verification.changes(claim.made, folder)
    inside = all(one.inside for one in figures)
    if options.json:
        rows = [asdict(one) | {"inside": one.inside} for one in figures]
        print(
            json.dumps({"inside": inside, "run": str(folder), "figures": rows, "changes": list(map(asdict, changes))})
        )
    else:
        print(clean_lines("\n".join(_text(claim, figures, changes, folder)), 100_000))
    return 0 if inside else 1


def _claim(words: Sequence[str], store: Store) -> Claim:
    names, overrides = [word for word in words if "=" not in word], [word for word in words if "=" in word]
    known = ", ".join(verification.declared())
    if len(names) != 1:
        raise UserError("one experiment or run is verified at a time", remedy=f"Experiments: {known}; or a run id.")
    if names[0] in verification.declared():
        return verification.of_experiment(names[0], overrides)
    try:
        entry = store.find(names[0])
    except RunError as error:
        raise RunError(error.cause, remedy=f"Experiments: {known}; runs: engine runs evaluate DONE") from error
    if overrides:
        raise UserError("a run is verified with its own settings", remedy="Leave the settings out.")
    return verification.of_run(entry)


def _text(claim: Claim, figures: Sequence[Checked], changes: Sequence[Change], folder: Path) -> list[str]:
    cells = [
        [
            *(f"{one.model} {one.metric}", fixed(one.measured), f"{one.low:.4f} to {one.high:.4f}"),
            *(fixed(one.value), "inside" if one.inside else "OUTSIDE"),
        ]
        for one in figures
    ]
    outside = [f"{one.model} {one.metric}" for one in figures if not one.inside]
    lines = align(["figure", "measured", "band", "now", ""], cells)
    if outside:
        lines += ["", *wrapped(f"{claim.name} is not what it was: {', '.join(outside)} outside.")]
    else:
        lines += ["", f"{claim.name} lies inside its band."]
    if changes:
        lines += ["different since it was measured:", *(line for one in changes for line in wrapped(_change(one)))]
    elif outside:
        lines += wrapped("Nothing that was recorded then is different now: the code, or chance.")
    return [*lines, f"the new run: engine show {folder.name} --runs {folder.parent}"]


def _change(one: Change) -> str:
    return f"  {one.what}: {setting(one.before)} → {NOTHING if one.now is None else setting(one.now)}"
