"""``engine run``: plan, start, follow, and show what came out."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from engine import config as configuration
from engine.commands.follow import follow
from engine.commands.overrides import stage_and_settings
from engine.commands.run_text import facts, result_text
from engine.experiments.launch import Request, start
from engine.experiments.plan import NEW, Step, plan
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.text import clean_lines

SAYS = {"reuse": "reused ", "join": "joined ", "resume": "resumed", "new": "new    "}


def run(options: argparse.Namespace) -> int:
    """Run a stage and whatever it needs that is not there yet."""
    target, overrides = stage_and_settings(options.overrides)
    resolved = configuration.resolve(overrides)
    store = Store(options.runs)
    if options.plan:
        return _tell_plan(plan(target, resolved.config, store, options.again), options.json)
    request = Request(target, overrides, options.experiment or resolved.label, options.again)
    steps = start(request, resolved.config, store)
    for step in steps:
        print(_line(step), file=sys.stderr)
    ids = [step.run for step in steps]
    if options.detach:
        _print_detached(steps, options.json)
        return 0
    try:
        entries = follow(store, ids)
    except KeyboardInterrupt:
        print(f"\nThe runs go on. Watch: engine logs -f {ids[-1]}   Stop: engine stop {' '.join(ids)}", file=sys.stderr)
        raise
    final = entries[-1]
    if final.state is not State.DONE:
        return _explain(entries)
    if options.json:
        print(json.dumps({"runs": {step.stage.name: step.run for step in steps}, **facts(final)}))
    else:
        print(result_text(final))
    return 0


def _tell_plan(steps: Sequence[Step], as_json: bool) -> int:
    if as_json:
        rows: list[dict[str, Any]] = [
            {
                "stage": step.stage.name,
                "action": step.action,
                "run": step.run or None,
                "fingerprint": step.fingerprint,
                "why": step.why,
            }
            for step in steps
        ]
        print(json.dumps({"steps": rows}))
    else:
        for step in steps:
            print(_line(step))
    return 0


def _line(step: Step) -> str:
    name = step.run if step.action != NEW or step.run else f"{step.stage.name} …"
    return f"{SAYS[step.action]}  {name:<32}  {step.why}"


def _print_detached(steps: Sequence[Step], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"runs": {step.stage.name: step.run for step in steps}}))
    else:
        print("\n".join(step.run for step in steps))


def _explain(entries: Sequence[Entry]) -> int:
    """Say which run broke the chain and why; 2 where a person can put it right, else 1."""
    broken = next(entry for entry in entries if entry.state is not State.DONE)
    told = broken.status.reason
    if broken.end is not None and broken.end.reason.startswith(told):
        told = broken.end.reason  # with the remedy below it
    print(clean_lines(f"error: {broken.id} {broken.state}: {told}"), file=sys.stderr)
    if broken.state in (State.STOPPED, State.KILLED, State.LOST):
        print(f"Go on with: engine resume {entries[-1].id}", file=sys.stderr)
        return 1
    if broken.end is not None and broken.end.code == 2:
        return 2
    print(f"What it printed: engine logs {broken.id}", file=sys.stderr)
    return 1
