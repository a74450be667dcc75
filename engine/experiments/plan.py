"""What has to run for a stage, and what exists already: fingerprints, reuse, and the order of work.

A fingerprint is the hash of the stage's name and version, its section of the configuration, the fingerprints of its
inputs and the content of the files that it reads from outside. A finished run with the same fingerprint is reused, a
living one is joined, an interrupted one is resumed.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.config import Config, tree_at
from engine.config.renamed import original
from engine.errors import RunError
from engine.experiments.digests import digests
from engine.experiments.named_runs import checked, named_runs
from engine.experiments.rules import rule
from engine.jobs.state import INTERRUPTED, State, Status
from engine.jobs.store import Entry, Store
from engine.report.settings import flat
from engine.runs.schema import CONFIG
from engine.stages import SEQUENCES, STAGES, Stage

REUSE, JOIN, RESUME, NEW = "reuse", "join", "resume", "new"
PAST = {REUSE: "reused", JOIN: "joined", RESUME: "resumed", NEW: "new"}  # of an action, in a line of a plan


@dataclass(frozen=True)
class Step:
    """One stage of the plan. ``run`` is the id of the existing run, empty when a new one has to be made."""

    stage: Stage
    fingerprint: str
    action: str  # reuse, join, resume or new; of a sweep also share
    run: str
    why: str

    def row(self) -> dict[str, Any]:
        """The step as programs read it."""
        facts = {"action": self.action, "run": self.run or None, "fingerprint": self.fingerprint, "why": self.why}
        return {"stage": self.stage.name, **facts}


def inputs_of(stage: Stage, config: Config) -> list[str]:
    """Stages whose runs this one opens under this configuration, in table order."""
    own = rule(stage, "inputs")
    return own(stage, config) if own else list(stage.inputs)


def pipeline(target: str, config: Config) -> list[Stage]:
    """The target and everything it needs, makers first. Raises RunError for a stage that is not built yet."""
    wanted: set[str] = set()

    def visit(name: str) -> None:
        if name not in wanted:
            wanted.add(name)
            for maker in inputs_of(STAGES[name], config):
                visit(maker)

    visit(target)
    order = [stage for name, stage in STAGES.items() if name in wanted]
    missing = [stage.name for stage in order if not stage.built]
    if missing:
        built = ", ".join(name for name, stage in STAGES.items() if stage.built)
        raise RunError(
            f"stage '{missing[0]}' is declared but not built in this version",
            location=f"engine run {target}",
            remedy=f"Stages that run: {built}.",
        )
    return order


def fingerprints(order: list[Stage], config: Config, root: Path) -> dict[str, str]:
    """Stage -> fingerprint, 16 hex digits. The keys of the hashed text belong to the format: never rename one."""
    result: dict[str, str] = {}
    for stage in order:
        settings = original(section(config, stage.name), f"{stage.name}.")
        parts: dict[str, Any] = {
            "stage": stage.name,
            "version": stage.version,
            "settings": settings,
            "inputs": {name: result[name] for name in inputs_of(stage, config)},
        }
        if runs := named_runs(stage, config):
            parts["inputs"] |= checked(runs, root, result.get(SEQUENCES.stage))
        content = rule(stage, "content")
        if content is not None:
            parts["settings"], paths = content(config, settings)
            if paths is not None:
                parts["files"] = digests(paths, root)
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
        result[stage.name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return result


def section(config: Config, stage: str) -> dict[str, Any]:
    """A stage's own settings as plain values."""
    return asdict(getattr(config, stage))


def plan(target: str, config: Config, store: Store, again: bool = False, starting: bool = False) -> list[Step]:
    """The steps that give the target, makers first; only what is needed beyond finished runs.

    ``again`` makes the target anew from whatever is there already. ``starting``: the lock of planning is held, so a run
    that no supervisor has taken up was left by a starter that is gone, and is started now.
    """
    order = pipeline(target, config)
    prints = fingerprints(order, config, store.root)
    entries = store.scan()
    if starting:
        gone = Status(State.LOST, "planned, but never started")
        entries = [replace(entry, status=gone) if entry.status.unstarted else entry for entry in entries]
    info = {entry.id: entry.info for entry in entries}
    steps: dict[str, Step] = {}

    def visit(name: str) -> None:
        if name in steps:
            return
        stage = STAGES[name]
        step = _step(stage, prints[name], config, entries, again=again and name == target)
        if step.action in (NEW, RESUME):
            makers = inputs_of(stage, config)
            for maker in makers:
                visit(maker)
            if step.action == RESUME and any(steps[m].run != info[step.run].inputs.get(m) for m in makers):
                step = replace(step, action=NEW, run="", why="what it was made from is made anew")
        steps[name] = step

    visit(target)
    return [_remarked(steps[stage.name], order, config) for stage in order if stage.name in steps]


def _remarked(step: Step, order: list[Stage], config: Config) -> Step:
    """The step with what its stage remarks on being made for this plan."""
    remark = rule(step.stage, "remark") if step.action == NEW else None
    text = remark([stage.name for stage in order], config) if remark else None
    return replace(step, why=f"{step.why}; {text}") if text else step


def _step(stage: Stage, fingerprint: str, config: Config, entries: list[Entry], again: bool) -> Step:
    own = [entry for entry in entries if entry.info.stage == stage.name]
    same = [entry for entry in own if entry.info.fingerprint == fingerprint]
    if again:
        return Step(stage, fingerprint, NEW, "", "requested by --again")
    for states, action, why in (
        ((State.DONE,), REUSE, "finished with the same settings and inputs"),
        ((State.RUNNING, State.STALLED, State.QUEUED, State.WAITING), JOIN, "at work on the same settings and inputs"),
        (INTERRUPTED, RESUME, "was interrupted"),
    ):
        for entry in reversed(same):
            if entry.state in states:
                return Step(stage, fingerprint, action, entry.id, why)
    for entry in reversed(same):
        if entry.never_began:
            return Step(stage, fingerprint, RESUME, entry.id, "never began: " + entry.status.reason)
        if entry.state is State.FAILED and entry.end is not None and entry.end.code == 2:
            return Step(stage, fingerprint, RESUME, entry.id, "ended by a fault that may be mended now")
    return Step(stage, fingerprint, NEW, "", _why_new(stage, config, own, failed=bool(same)))


def _why_new(stage: Stage, config: Config, own: list[Entry], failed: bool) -> str:
    if failed:
        return "the last try failed"
    if not own:
        return f"no {stage.name} run yet"
    nearest = own[-1]
    before = tree_at(nearest.folder / CONFIG)
    known = before.get(stage.name) if isinstance(before, dict) else None
    old, new = flat(known or {}), flat(section(config, stage.name))
    changes = [(key, old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)]
    if not changes:
        return f"its inputs, files or version differ from {nearest.id}"
    shown = ", ".join(f"{stage.name}.{key} {before!r} → {after!r}" for key, before, after in changes[:3])
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    return f"{shown}{more} (against {nearest.id})"
