"""What ``engine`` says to a form: its settings, what a start would do, whether the checks pass; and the start itself.

Knows no screen. One planning at a time: while it runs, changes only note that another one is due.
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
Ask = Callable[..., Coroutine[Any, Any, engine.CommandResult]]


class Planning:
    """A form and what is known of it. ``trouble`` is what ``engine`` objects to, ``busy`` what is being asked."""

    def __init__(self, root: Path, ask: Ask, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.root, self._ask, self._spawn = root, ask, spawn
        self.form = Form()
        self.busy = ""
        self.trouble = ""
        self.steps: list[dict[str, Any]] = []  # of the plan; of a sweep, those of its first combination
        self.new: dict[str, int] = {}  # stage -> runs that would be made
        self.checks: set[str] = set()
        self.objection: engine.CommandResult | None = None  # what the doctor said when it forbade the start
        self._planning = False
        self._stale = False
        self._source: Row | None = None

    def open(self, row: Row | None = None, preset: str = "") -> None:
        """A new form: empty, of a preset, or with the settings of a run."""
        if row is None and not preset and self.form.settings:
            self.refresh()
            return  # what was typed before is still there
        self.form = Form(preset=preset, target=row.stage if row else "evaluate", again=AGAIN in self.checks)
        self.steps, self.trouble, self._source = [], "", row
        if row is not None:
            self.form.source, self.form.experiment = row.id, row.experiment
            presets = [word.partition("=")[2] for word in row.argv if word.startswith("experiment=")]
            self.form.preset = presets[-1] if presets else ""
        self._spawn(self._load())

    def start_from(self, preset: str) -> None:
        """Another named experiment: what was changed is given up."""
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
        """Ask for a check before the start, or no longer."""
        self.checks ^= {check}
        self.form.again = AGAIN in self.checks
        self.refresh()

    def _changed(self, key: str) -> None:
        if key in self.form.settings and self.form.settings[key].group:
            self._spawn(self._reload())  # another file has other values: ask for them
        else:
            self.refresh()

    async def _load(self) -> None:
        """Ask for the settings."""
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
        """Ask for the settings again under the chosen files."""
        self.busy = "reading settings"
        groups = {key: text for key, text in self.form.changes.items() if self.form.settings[key].group}
        answer = await self._ask(self.form.arguments(groups, run=False))
        self.busy = ""
        if answer.status or not isinstance(answer.value, dict):
            self.trouble = answer.message
            return
        chosen = {key: self.form.settings[key] for key in groups}
        self.form.load(answer.value)
        self.form.settings |= chosen  # the file that is in force without the change
        self.refresh()

    def refresh(self) -> None:
        """Plan anew after a change; one planning at a time."""
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
        """Keep what would be done; the first plan is shown whole, of all of them what would be made is counted."""
        steps = [[step for step in plan.get("steps") or () if isinstance(step, dict)] for plan in plans]
        self.steps = steps[0] if steps else []
        self.new = {}
        for step in (step for own in steps for step in own):
            if step.get("action") in ("new", "resume"):
                stage = str(step.get("stage"))
                self.new[stage] = self.new.get(stage, 0) + 1

    @property
    def examined(self) -> list[str]:
        """The words after ``engine doctor``: all checks of the first run, or only whether one batch can be learnt."""
        settings = self.form.arguments(next(self.form.grid(), {}), run=False)[1:]
        return [self.form.target, *settings, *([] if self.checks & {DOCTOR} else ["--only", "overfits"])]

    async def save(self, name: str) -> str:
        """Keep what the form says as an experiment of a person's own, and go on from it; what was wrong, if so."""
        answer = await self._ask([*self.form.arguments(self.form.changes, run=False), "--save", name])
        if answer.status:
            return answer.message
        self._source = None
        self.form.preset, self.form.changes = name, {}
        await self._load()
        return ""

    def why_not(self) -> str:
        """Why it cannot be started now; empty when it can."""
        if not self.form.settings:
            return self.trouble or "the settings are not read yet"
        if self.form.faults:
            key, fault = next(iter(self.form.faults.items()))
            return f"{key} {fault}"
        if self.form.count > LIMIT:
            return f"{self.form.count:,} runs are too many"
        return "it is starting already" if self.busy.startswith("starting") else ""

    async def start(self) -> list[str] | None:
        """Start one run, or every combination of a sweep.

        Gives the runs that work on it; None when ``engine`` or the doctor objected, which ``trouble`` then tells.
        """
        self.objection = None
        if self.checks & {DOCTOR, BATCH}:
            self.busy = "starting: the doctor looks"
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
    """What ``engine`` told of each combination: of a single run, the answer itself."""
    if not isinstance(answer, dict):
        return []
    parts = answer.get("combinations", [answer])
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
