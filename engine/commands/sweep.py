"""``engine sweep``: every combination of some values, as one experiment; what combinations share is made once."""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.commands.follow import follow
from engine.commands.overrides import repeatable_label, stage_and_settings
from engine.errors import UserError
from engine.experiments.launch import Request, start, start_together
from engine.experiments.plan import PAST, Step
from engine.experiments.sweep import SHARED, Combination, combinations, count, plans
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.text import clean_lines

ACTIONS = PAST | {SHARED: "shared"}


@dataclass(frozen=True)
class Started:
    """A combination whose runs exist: stage -> run id, makers first."""

    point: Combination
    runs: dict[str, str]

    @property
    def target(self) -> str:
        return list(self.runs.values())[-1]


def sweep(options: argparse.Namespace) -> int:
    """Run every combination, even where one fails, and print the mean and spread over seeds of each setting."""
    target, overrides = stage_and_settings(options.overrides)
    grid = combinations(overrides)
    for note in dict.fromkeys(point.note for point in grid if point.note):
        print(clean_lines(note), file=sys.stderr)
    if len(grid) == 1:
        raise UserError("one combination is no sweep", remedy="Write several values: seed=1,2,3; or use engine run.")
    store = Store(options.runs)
    label = options.experiment or repeatable_label("sweep", target, overrides)
    if options.plan:
        _print_plan(plans(target, grid, store, options.again), grid, label, options.json)
        return 0
    started = _start(target, grid, label, options.again, store)
    print(f"{len(grid)} combinations in experiment {label}", file=sys.stderr)
    if options.detach:
        runs = [{"settings": dict(one.point.values), "runs": one.runs} for one in started]
        as_json = json.dumps({"experiment": label, "combinations": runs})
        print(as_json if options.json else "\n".join(one.target for one in started))
        return 0
    ids = list(dict.fromkeys(run for one in started for run in one.runs.values()))
    try:
        ended = {entry.id: entry for entry in follow(store, ids)}
    except KeyboardInterrupt:
        print(f"\nThe runs go on. Watch: engine runs {label}   Come back: type the same command again", file=sys.stderr)
        raise
    return finish(started, ended, label, store, options.json)


def _start(target: str, grid: Sequence[Combination], label: str, again: bool, store: Store) -> list[Started]:
    """The runs of every combination. On Slurm all are planned first, so that each stage is one array of jobs."""
    requests = [(Request(target, point.overrides, label, again), point.config) for point in grid]
    if all(point.config.launcher.slurm for point in grid):
        made = start_together(requests, store)
    else:
        made = [start(request, config, store) for request, config in requests]
    return [
        Started(point, {step.stage.name: step.run for step in steps}) for point, steps in zip(grid, made, strict=True)
    ]


def finish(started: Sequence[Started], ended: Mapping[str, Entry], label: str, store: Store, as_json: bool) -> int:
    """Print the figures of every combination, and which failed; the exit status."""
    from engine.compare import spreads
    from engine.compare.groups import Group, member_of

    failed = [one for one in started if ended[one.target].state is not State.DONE]
    by_id = {entry.id: entry for entry in store.scan()}
    parts: dict[str, dict[str, Any]] = {}
    for one in started:
        if one not in failed:
            key = " ".join(f"{name}={value}" for name, value in one.point.values.items() if name != "seed")
            parts.setdefault(key, {})[one.target] = member_of(by_id[one.target], by_id)
    groups = [Group(key or label, list(members.values())) for key, members in parts.items()]
    lines = spreads.spreads(groups) if groups else []
    broken = {one.target: _broken(one, ended) for one in failed}
    if as_json:
        found = [
            {
                "settings": dict(one.point.values),
                "runs": one.runs,
                "state": ended[one.target].state.value,
                "reason": broken.get(one.target, ""),
            }
            for one in started
        ]
        names = [{"name": group.name, "seeds": group.seeds} for group in groups]
        figures = [asdict(line) for line in lines]
        print(json.dumps({"experiment": label, "combinations": found, "groups": names, "figures": figures}))
    elif lines:
        print(spreads.text(groups, lines))
        if len(groups) == 1 and lines[0].model is not None:
            print("\nHow do its models differ? engine results --seeds", file=sys.stderr)
        elif len(groups) > 1:
            named = [f"{group.name}={','.join(member.entry.id for member in group.members)}" for group in groups]
            print(f"\nIs it more than chance? {shlex.join(['engine', 'compare', *named])}", file=sys.stderr)
    for one in failed:
        print(clean_lines(f"error: {one.point.name or one.target}: {broken[one.target]}"), file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(started)} combinations failed", file=sys.stderr)
    return 1 if failed else 0


def _broken(one: Started, ended: Mapping[str, Entry]) -> str:
    """The first run of a combination that is not done, and why."""
    entry = next(entry for run in one.runs.values() if (entry := ended[run]).state is not State.DONE)
    return f"{entry.id} {entry.state.value}: {entry.status.reason or 'see engine logs ' + entry.id}"


def _print_plan(plans: Sequence[Sequence[Step]], grid: Sequence[Combination], label: str, as_json: bool) -> None:
    totals, planned = count(plans), list(zip(grid, plans, strict=True))
    if as_json:
        found = [
            {"settings": dict(point.values), "words": point.overrides, "steps": [step.row() for step in steps]}
            for point, steps in planned
        ]
        print(json.dumps({"experiment": label, "combinations": found, "runs": totals}))
        return
    for point, steps in planned:
        print(f"{point.name}  " + ", ".join(f"{step.stage.name} {ACTIONS[step.action]}" for step in steps))
    counted = ", ".join(f"{number} {ACTIONS[action]}" for action, number in totals.items() if number)
    print(f"{len(grid)} combinations in experiment {label}; runs: {counted}")
