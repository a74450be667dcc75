"""``engine run``: plan, start, follow, and show what came out."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from engine import config as configuration
from engine.commands.follow import follow
from engine.commands.overrides import stage_and_settings, with_source
from engine.commands.run_text import facts, result_text
from engine.config import Config
from engine.experiments.launch import Request, start
from engine.experiments.plan import NEW, PAST, REUSE, Step, plan
from engine.jobs.state import INTERRUPTED, State
from engine.jobs.store import Entry, Store
from engine.report.numbers import setting
from engine.report.settings import flat, settings_of
from engine.runs.text import clean_lines
from engine.stages import METRICS_TABLE, makes


def run(options: argparse.Namespace) -> int:
    """Run a stage and whatever it needs that does not exist yet."""
    target, overrides = stage_and_settings(options.overrides)
    overrides = with_source(overrides)
    resolved = configuration.resolve(overrides)
    store = Store(options.runs)
    if options.plan:
        steps = plan(target, resolved.config, store, options.again)
        print(json.dumps({"steps": [step.row() for step in steps]}) if options.json else "\n".join(map(_line, steps)))
        return 0
    request = Request(target, overrides, options.experiment or resolved.label, options.again)
    steps = start(request, resolved.config, store)
    for step in steps:
        print(_line(step), file=sys.stderr)
    _note_search(steps[-1], resolved.config, store)
    ids = [step.run for step in steps]
    if options.detach:
        print(json.dumps({"runs": _by_stage(steps)}) if options.json else "\n".join(ids))
        return 0
    try:
        entries = follow(store, ids)
    except KeyboardInterrupt:
        print(f"\nThe runs go on. Watch: engine logs -f {ids[-1]}   Stop: engine stop {' '.join(ids)}", file=sys.stderr)
        raise
    final = entries[-1]
    if final.state is not State.DONE:
        return explain(entries)
    if options.json:
        print(json.dumps({"runs": _by_stage(steps), **facts(final)}))
    else:
        print(result_text(final))
    return 0


def _note_search(target: Step, config: Config, store: Store) -> None:
    """A reused evaluation keeps the size of the search that it was made with: say so where another is given."""
    if target.action != REUSE or not makes(target.stage.name, METRICS_TABLE):
        return
    kept, given = settings_of(store.root / target.run), flat({"search": asdict(config.search)})
    changes = [
        f"{key} {setting(kept.get(key))} → {setting(value)}" for key, value in given.items() if kept.get(key) != value
    ]
    if changes:
        text = (
            f"{target.run} keeps the size of the search that it was made with ({', '.join(changes)}); --again: the new"
        )
        print(text, file=sys.stderr)


def _line(step: Step) -> str:
    name = step.run if step.action != NEW or step.run else f"{step.stage.name} …"
    return f"{PAST[step.action]:<7}  {name:<32}  {step.why}"


def _by_stage(steps: Sequence[Step]) -> dict[str, str]:
    return {step.stage.name: step.run for step in steps}


def explain(entries: Sequence[Entry]) -> int:
    """Print which run failed first and why; the exit status: 2 where the user can fix it, else 1."""
    broken = next(entry for entry in entries if entry.state is not State.DONE)
    reason = broken.status.reason
    if broken.end is not None and broken.end.reason.startswith(reason):
        reason = broken.end.reason  # with the remedy below it
    print(clean_lines(f"error: {broken.id} {broken.state}: {reason}"), file=sys.stderr)
    if broken.state in INTERRUPTED:
        print(f"Go on with: engine resume {entries[-1].id}", file=sys.stderr)
        return 1
    if broken.end is not None and broken.end.code == 2:
        return 2
    print(f"What it printed: engine logs {broken.id}", file=sys.stderr)
    return 1
