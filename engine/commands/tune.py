"""``engine tune``: search settings for the best figure on validation rows; the same command again continues."""

import argparse
import json
import os
import re
import shlex
import sys
from typing import Any

from engine import config as configuration
from engine.commands.follow import follow
from engine.commands.overrides import repeatable_label, stage_and_settings, with_source
from engine.config import Config
from engine.errors import UserError
from engine.experiments.launch import Request, start
from engine.experiments.plan import pipeline
from engine.experiments.trial_log import repair
from engine.experiments.tune import DONE, FAILED, FOLDER, Search, Space, Trial
from engine.experiments.tune import space as space_of
from engine.jobs.state import INTERRUPTED, State
from engine.jobs.store import Store
from engine.runs.files import hold, make_folder
from engine.stages import STAGES, VAL_NDCG, Metric, Stage

FIRST = "student"  # what is tuned when no stage is named
SHOWN = 5  # trials of the table


def tune(options: argparse.Namespace) -> int:
    """Try settings until ``--trials`` of them are known, then print the best one and the command that makes it."""
    named = any("=" not in word for word in options.overrides)
    target, overrides = stage_and_settings(options.overrides if named else [FIRST, *options.overrides])
    if options.trials < 1:
        raise UserError(f"--trials {options.trials} is not at least 1", remedy="Write for example --trials 20.")
    overrides = with_source(overrides)
    space = space_of(overrides)
    first = configuration.load([*space.overrides(space.corner(0)), *_seeded(space)[0]])
    metric = metric_of(target, options.metric, first)
    _check_relevant(target, space, first)
    store = Store(options.runs)
    label = options.experiment or repeatable_label("tune", target, overrides, metric.name)
    asked = {"words": shlex.join([target, *overrides]), "metric": metric.name}
    name = re.sub(r"[^\w.-]+", "-", label)  # a label may hold characters that a file's name cannot
    folder = make_folder(store.root / FOLDER)
    lock = hold(folder / f"{name}.lock")
    if lock is None:
        raise UserError(f"another process runs the search {label}", remedy="Wait for its end, or name another one.")
    try:
        note = repair(folder / f"{name}.journal")
        if note:
            print(note, file=sys.stderr)
        search = Search(folder / f"{name}.journal", asked, space, metric.goal, first.seed)
        return _search(search, space, target, metric, label, store, options)
    finally:
        os.close(lock)


def _search(
    search: Search, space: Space, target: str, metric: Metric, label: str, store: Store, options: argparse.Namespace
) -> int:
    known = [trial for trial in search.trials() if trial.state in (DONE, FAILED)]
    if known:
        print(f"{label} goes on: {len(known)} of {options.trials} trials are known", file=sys.stderr)
    size = space.size(target, options.trials)
    while sum(trial.state in (DONE, FAILED) for trial in search.trials()) < options.trials:
        trial = search.next()
        print(f"trial {trial.number + 1}/{options.trials}: {' '.join(space.drawn(trial.params))}", file=sys.stderr)
        overrides = [*space.overrides(trial.params), *size]
        value, runs = _try(target, overrides, space, metric, label, store)
        search.tell(trial, value, runs)
    return _print_result(search, space, target, metric, label, options.json)


def _try(
    target: str, overrides: list[str], space: Space, metric: Metric, label: str, store: Store
) -> tuple[float | None, list[str]]:
    """The mean of the metric over the seeds of one trial, None where a run failed; and the runs."""
    from engine.compare.figures import kept_evaluation
    from engine.runs.reader import history

    finals, every = [], []
    for seed in _seeded(space):
        own = [*overrides, *seed]
        steps = start(Request(target, own, label, False), configuration.load(own), store)
        every += [step.run for step in steps]
        finals.append(steps[-1].run)
    try:
        entries = {entry.id: entry for entry in follow(store, list(dict.fromkeys(every)))}
    except KeyboardInterrupt:
        print("\nThe runs go on. Come back: type the same command again", file=sys.stderr)
        raise
    broken = next((entry for entry in entries.values() if entry.state in INTERRUPTED), None)
    if broken is not None:  # those that need it have failed
        raise UserError(
            f"{broken.id} was interrupted ({broken.state.value}), so its trial is still open",
            location=label,
            remedy="Type the same command again: it resumes the run.",
        )
    if any(entries[run].state is not State.DONE for run in finals):
        return None, finals
    values = [kept_evaluation(history(store.root / run)).get(metric.name) for run in finals]
    known = [value for value in values if value is not None]
    return (sum(known) / len(known) if len(known) == len(values) else None), finals


def _print_result(search: Search, space: Space, target: str, metric: Metric, label: str, as_json: bool) -> int:
    """The best trial with its command, and the next best ones; 1 where none is done."""
    best, trials = search.best(), search.trials()
    failed = sum(trial.state == FAILED for trial in trials)
    command = [] if best is None else _command(target, space, best, sum(t.state in (DONE, FAILED) for t in trials))
    if as_json:
        chosen = {**_row(best, space), "command": command} if best else None
        facts = {"experiment": label, "metric": metric.name, "goal": metric.goal, "seeds": space.seeds}
        print(json.dumps({**facts, "trials": [_row(trial, space) for trial in trials], "best": chosen}))
    elif best is not None:
        sign = -1 if metric.goal == "min" else 1
        done = sorted((t for t in trials if t.value is not None), key=lambda t: (-sign * (t.value or 0.0), t.number))
        over = f", mean over seeds {', '.join(space.seeds)}" if len(space.seeds) > 1 else ""
        print(f"{metric.name} on validation rows{over}; {len(done)} trials done, {failed} failed")
        for trial in done[:SHOWN]:
            print(f"{trial.value:.4f}  trial {trial.number + 1:<3}  {' '.join(space.drawn(trial.params))}")
        print(f"\n{shlex.join(command)}")
    if best is None:
        print(f"error: no trial of {label} was finished, of {len(trials)}. See: engine runs {label}", file=sys.stderr)
        return 1
    return 0


def _command(target: str, space: Space, best: Trial, trials: int) -> list[str]:
    """The command that makes the very runs of the best trial, and records that it is the best of so many."""
    verb = "sweep" if len(space.seeds) > 1 else "run"
    seeds = [f"seed={','.join(space.seeds)}"] if space.seeds else []
    return ["engine", verb, target, *space.overrides(best.params), *seeds, *space.size(target, trials)]


def _row(trial: Trial, space: Space) -> dict[str, Any]:
    drawn = space.drawn(trial.params) if trial.params.keys() == space.searched.keys() else []
    settings = dict(override.split("=", 1) for override in drawn)
    number = {"number": trial.number + 1, "settings": settings}
    return {**number, "state": trial.state, "value": trial.value, "runs": trial.runs}


def metric_of(target: str, name: str | None, config: Config) -> Metric:
    """The metric on validation rows that decides. UserError for an unknown one, and for one on test rows."""
    known = {metric.name: metric for metric in _choosing(STAGES[target], config)}
    chosen = name or (VAL_NDCG.name if VAL_NDCG.name in known else next(iter(known), ""))
    if chosen in known:
        return known[chosen]
    usable = {stage.name: [metric.name for metric in _choosing(stage, config)] for stage in STAGES.values()}
    listed = "; ".join(f"{stage}: {', '.join(names)}" for stage, names in usable.items() if names)
    what = f"'{name}' is no figure on validation rows" if name else f"{target} has no figure on validation rows"
    raise UserError(
        f"{what} of {target}" if name else what, remedy=f"Test rows choose nothing. Tune by one of: {listed}."
    )


def _choosing(stage: Stage, config: Config) -> list[Metric]:
    """The metrics on validation rows of which more, or less, is better."""
    if stage.alternatives and config.teacher.objective == "generate":
        return list(stage.alternatives)
    return [metric for metric in stage.metrics if metric.name.startswith("val_") and metric.goal]


def _check_relevant(target: str, space: Space, config: Config) -> None:
    """UserError for a setting that the stage does not depend on."""
    needed = {stage.name for stage in pipeline(target, config)}
    for key in space.searched:
        section = key.partition(".")[0]
        if section in STAGES and section not in needed:
            raise UserError(
                f"{key} changes nothing about {target}",
                location=key,
                remedy=f"Tune its own stage: engine tune {section} ...; {target} needs {', '.join(sorted(needed))}.",
            )


def _seeded(space: Space) -> list[list[str]]:
    """The seed overrides of the runs of a trial."""
    return [[f"seed={seed}"] for seed in space.seeds] or [[]]
