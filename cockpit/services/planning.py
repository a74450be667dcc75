"""What ``engine`` answers about a form: settings, plan, checks; and the start.

One plan is computed at a time; a change meanwhile marks it as stale, and it is computed again.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cockpit.models.findings import findings
from cockpit.models.form import Form, changes_from
from cockpit.models.rows import Row
from cockpit.services import engine
from cockpit.services.scan import read_config
from engine.config.grammar import LIMIT

DOCTOR, BATCH, AGAIN = "doctor", "one batch", "again"  # boxes of the form


class Planning:
    """A form and its plan. ``trouble``: the error of ``engine``; ``busy``: the request that is running."""

    def __init__(self, root: Path, ask: engine.Ask, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.root, self._ask, self._spawn = root, ask, spawn
        self.form = Form()
        self.busy = ""
        self.trouble = ""
        self.steps: list[dict[str, Any]] = []  # of the plan; of a sweep, those of its first combination
        self.new: dict[str, int] = {}  # stage -> runs that would be made
        self.checks: set[str] = set()
        self.objection: engine.CommandResult | None = None  # result of the doctor that prevented the start
        self._planning = False
        self._stale = False
        self._source: Row | None = None

    def open(self, row: Row | None = None, preset: str = "") -> None:
        """A new form: empty, of a preset, or with the settings of a run."""
        if row is None and not preset and self.form.settings:
            self.refresh()
            return  # the previous form is kept
        self.form = Form(preset=preset, target=row.stage if row else "evaluate", again=AGAIN in self.checks)
        self.steps, self.trouble, self._source = [], "", row
        if row is not None:
            self.form.source, self.form.experiment = row.id, row.experiment
            presets = [word.partition("=")[2] for word in row.argv if word.startswith("experiment=")]
            self.form.preset = presets[-1] if presets else ""
        self._spawn(self._load())

    def start_from(self, preset: str) -> None:
        """Load a named experiment; changes are discarded."""
        self._source = None
        self.form.preset, self.form.changes = preset, {}
        self._spawn(self._load())

    def change(self, key: str, text: str) -> None:
        self.form.change(key, text)
        self._changed(key)

    def reset(self, key: str) -> None:
        self.form.reset(key)
        self._changed(key)

    def toggle(self, check: str) -> None:
        """Add a check before the start, or remove it."""
        self.checks ^= {check}
        self.form.again = AGAIN in self.checks
        self.refresh()

    def _changed(self, key: str) -> None:
        if key in self.form.settings and self.form.settings[key].group:
            self._spawn(self._reload())  # another file has other values
        else:
            self.refresh()

    async def _load(self) -> None:
        """Request the settings."""
        self.busy = "reading settings"
        answer = await self._ask(self.form.arguments({}, run=False))
        self.busy = ""
        if answer.status or not isinstance(answer.value, dict):
            self.trouble = answer.message
            return
        self.form.load(answer.value)
        if self._source is not None:
            config = read_config(self.root / self._source.id)
            self.form.changes |= changes_from(self.form.settings, config)
        self.refresh()

    async def _reload(self) -> None:
        """Request the settings again with the chosen files."""
        self.busy = "reading settings"
        groups = {key: text for key, text in self.form.changes.items() if self.form.settings[key].group}
        answer = await self._ask(self.form.arguments(groups, run=False))
        self.busy = ""
        if answer.status or not isinstance(answer.value, dict):
            self.trouble = answer.message
            return
        chosen = {key: self.form.settings[key] for key in groups}
        self.form.load(answer.value)
        self.form.settings |= chosen  # with the default file, not the chosen one
        self.refresh()

    def refresh(self) -> None:
        """Request a new plan after a change."""
        self._stale = True
        if not self._planning:
            self._planning = True
            self._spawn(self._plan())

    async def _plan(self) -> None:
        try:
            while self._stale:
                self._stale = False
                if self.form.faults or self.form.count > LIMIT:
                    continue
                self.busy = "planning"
                answer = await self._ask([*self.form.command, "--plan"], self.root)
                if self._stale:
                    continue
                self.trouble = answer.message if answer.status else ""
                self._take(_parts(answer.value))
        finally:
            self._planning, self.busy = False, ""

    def _take(self, plans: list[dict[str, Any]]) -> None:
        """Keep the steps of the first plan, and count the new runs of all plans."""
        steps = [[step for step in plan.get("steps") or () if isinstance(step, dict)] for plan in plans]
        self.steps = steps[0] if steps else []
        self.new = {}
        for step in (step for own in steps for step in own):
            if step.get("action") in ("new", "resume"):
                stage = str(step.get("stage"))
                self.new[stage] = self.new.get(stage, 0) + 1

    @property
    def examined(self) -> list[str]:
        """The arguments of ``engine doctor``: all checks of the first run, or only overfitting one batch."""
        settings = self.form.arguments(next(self.form.grid(), {}), run=False)[1:]
        return [self.form.target, *settings, *([] if self.checks & {DOCTOR} else ["--only", "overfits"])]

    async def save(self, name: str) -> str:
        """Save the settings as a named experiment and continue from it; returns the error, if any."""
        answer = await self._ask([*self.form.arguments(self.form.changes, run=False), "--save", name])
        if answer.status:
            return answer.message
        self._source = None
        self.form.preset, self.form.changes = name, {}
        await self._load()
        return ""

    def why_not(self) -> str:
        """Why the form cannot be started; empty when it can."""
        if not self.form.settings:
            return self.trouble or "the settings are not loaded yet"
        if self.form.faults:
            key, fault = next(iter(self.form.faults.items()))
            return f"{key} {fault}"
        if self.form.count > LIMIT:
            return f"{self.form.count:,} runs are too many"
        return "it is starting already" if self.busy.startswith("starting") else ""

    async def start(self) -> list[str] | None:
        """Start one run, or every combination of a sweep.

        Returns the new runs; None when ``engine`` or the doctor refused, with the reason in ``trouble``.
        """
        self.objection = None
        if self.checks & {DOCTOR, BATCH}:
            self.busy = "starting: engine doctor is running"
            answer = await self._ask(["doctor", *self.examined], self.root)
            if answer.status:
                self.busy, self.objection = "", answer
                bad = [one.check for one in findings(answer.value) or () if one.verdict == "fail"]
                self.trouble = f"the doctor objects: {', '.join(bad) or answer.message}"
                return None
        self.busy = f"starting {self.form.count} runs" if self.form.sweeps else "starting"
        answer = await self._ask([*self.form.command, "--detach"], self.root)
        self.busy = ""
        plans = _parts(answer.value)
        if answer.status or not any(isinstance(plan.get("runs"), dict) for plan in plans):
            self.trouble = answer.message
            return None
        made = [runs for plan in plans if isinstance(runs := plan.get("runs"), dict)]
        return list(dict.fromkeys(str(run) for runs in made for run in runs.values()))


def _parts(answer: Any) -> list[dict[str, Any]]:
    """The answer for each combination; of a single run, the answer itself."""
    if not isinstance(answer, dict):
        return []
    parts = answer.get("combinations", [answer])
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
