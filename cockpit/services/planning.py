"""What ``engine`` says to a form: its settings, what a start would do, whether the checks pass; and the start itself.

Knows no screen. One planning at a time: while it runs, changes only note that another one is due.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cockpit.models.form import GRID_LIMIT, Form, changes_from
from cockpit.models.rows import Row
from cockpit.services import engine
from cockpit.services.scan import read_config

Ask = Callable[..., Coroutine[Any, Any, engine.Answer]]


class Planning:
    """A form and what is known of it. ``trouble`` is what ``engine`` objects to, ``busy`` what is being asked."""

    def __init__(self, root: Path, ask: Ask, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.root, self._ask, self._spawn = root, ask, spawn
        self.form = Form()
        self.busy = ""
        self.trouble = ""
        self.steps: list[dict[str, Any]] = []
        self.checks: set[str] = set()
        self.possible = {"again"}  # checks that this engine knows
        self._planning = False
        self._stale = False
        self._source: Row | None = None

    def open(self, row: Row | None = None, preset: str = "") -> None:
        """A new form: empty, of a preset, or with the settings of a run."""
        if row is None and not preset and self.form.settings:
            self.refresh()
            return  # what was typed before is still there
        self.form = Form(preset=preset, target=row.stage if row else "evaluate", again="again" in self.checks)
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
        self.form.again = "again" in self.checks
        self.refresh()

    def _changed(self, key: str) -> None:
        if key in self.form.settings and self.form.settings[key].group:
            self._spawn(self._reload())  # another file has other values: ask for them
        else:
            self.refresh()

    async def _load(self) -> None:
        """Ask for the settings, and whether there is a doctor."""
        self.busy = "reading settings"
        answer = await self._ask(self.form.words({}, run=False))
        self.busy = ""
        if answer.status or not isinstance(answer.value, dict):
            self.trouble = answer.message
            return
        self.form.load(answer.value)
        if self._source is not None:
            config = read_config(self.root / self._source.id)
            self.form.changes |= changes_from(self.form.settings, config)
        self.refresh()
        if "doctor" not in self.possible and not (await self._ask(["doctor", "--help"])).status:
            self.possible.add("doctor")

    async def _reload(self) -> None:
        """Ask for the settings again under the chosen files."""
        self.busy = "reading settings"
        groups = {key: text for key, text in self.form.changes.items() if self.form.settings[key].group}
        answer = await self._ask(self.form.words(groups, run=False))
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
                if self.form.faults or self.form.count > GRID_LIMIT:
                    continue
                self.busy = "planning"
                answer = await self._ask([*self.words, "--plan"], self.root)
                if self._stale:
                    continue
                self.trouble = answer.message if answer.status else ""
                steps = answer.value.get("steps") if isinstance(answer.value, dict) else None
                self.steps = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
        finally:
            self._planning, self.busy = False, ""

    @property
    def words(self) -> list[str]:
        """The words after ``engine`` that start the first run of the grid."""
        return self.form.words(next(self.form.grid(), {}) if self.form.count <= GRID_LIMIT else {})

    def why_not(self) -> str:
        """Why it cannot be started now; empty when it can."""
        if not self.form.settings:
            return self.trouble or "the settings are not read yet"
        if self.form.faults:
            key, fault = next(iter(self.form.faults.items()))
            return f"{key} {fault}"
        if self.form.count > GRID_LIMIT:
            return f"{self.form.count:,} runs are too many"
        return "it is starting already" if self.busy.startswith("starting") else ""

    async def start(self) -> list[str] | None:
        """Start every combination, one after the other: each plan sees the runs of those before it.

        Gives the runs that work on it; None when ``engine`` or the doctor objected, which ``trouble`` then tells.
        """
        if "doctor" in self.checks:
            self.busy = "starting: the doctor looks"
            answer = await self._ask(["doctor", *self.words[1:]], self.root)
            if answer.status:
                self.busy, self.trouble = "", f"the doctor objects: {answer.message}"
                return None
        combinations = list(self.form.grid())
        started: list[str] = []
        for number, changes in enumerate(combinations, 1):
            self.busy = f"starting {number} of {len(combinations)}"
            answer = await self._ask([*self.form.words(changes), "--detach"], self.root)
            runs = answer.value.get("runs") if isinstance(answer.value, dict) else None
            if answer.status or not isinstance(runs, dict):
                self.busy, self.trouble = "", answer.message
                return None
            started += [str(run) for run in runs.values()]
        self.busy = ""
        return started
