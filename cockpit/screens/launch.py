"""The form of a new run: stages, what of them is reused, settings with their limits, sweeps, the exact command."""

import re
from typing import TYPE_CHECKING

from cockpit.keys import DOCTOR, LAUNCH, RUNS
from cockpit.models.estimate import Estimate, estimate
from cockpit.models.form import Form
from cockpit.models.rows import Row
from cockpit.panes import launch as panes
from cockpit.panes.launch import CHECKS
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines, beside
from cockpit.services import engine
from cockpit.services.planning import Planning
from cockpit.services.sizes import disk_use
from engine.config.grammar import LIMIT
from engine.stages import STAGES

if TYPE_CHECKING:
    from cockpit.context import Context

GRAPH, FORM = "graph", "form"
PRESET = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")  # as the engine has it


class LaunchScreen:
    """Stage graph on the left, settings on the right, what would happen below."""

    name = LAUNCH

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.planning = Planning(context.root, context.ask, context.effects.spawn)
        self.pane = FORM
        self.cursor = {GRAPH: 0, FORM: 0}
        self.find = ""
        self.changed_only = False
        self._top = 0
        self._left = 0  # cells of the stage graph
        self._costs: tuple[object, Estimate | None] = (None, None)  # a plan, and what it would take

    @property
    def form(self) -> Form:
        return self.planning.form

    @property
    def row(self) -> Row | None:
        return None

    def title(self) -> Line:
        line: Line = [(f"  {self.form.target}", "bold")]
        if self.form.preset:
            line.append((f"  preset {self.form.preset}", "key"))
        if self.form.source:
            line.append((f"  from {self.form.source}", "dim"))
        if self.planning.busy:
            line.append((f"  {self.planning.busy}", "warn"))
        return line

    def watched(self) -> list[str]:
        return []

    def open(self, row: Row | None = None, preset: str = "") -> None:
        """A new form: empty, of a preset, or with the settings of a run."""
        self.planning.open(row, preset)

    # -- the picture ---------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        self._left = left = 40 if across >= 110 else 30
        below = (8 if down >= 26 else 7) + (6 if down >= 36 and self.form.sweeps else 0)
        graph = panes.graph(self.planning, self.cursor[GRAPH], self.pane == GRAPH, left, down - below)
        above = beside([graph, self._settings(across - left, down - below)])
        free = self.context.watch.system.disk_free
        return [*above, *panes.preview(self.planning, self.context.root, self._cost(), free, across, below)]

    def _cost(self) -> Estimate | None:
        """What the plan would take, reckoned anew when the plan is another one."""
        steps = self.planning.steps
        if self._costs[0] is not steps:
            data = next((str(step.get("run") or "") for step in steps if step.get("stage") == "data"), "")
            rows = self.context.list.rows.values()
            told = (
                estimate(self.planning.new, rows, data, lambda run: disk_use(self.context.root / run))
                if steps
                else None
            )
            self._costs = (steps, told)
        return self._costs[1]

    def _settings(self, across: int, down: int) -> Lines:
        keys = self._keys()
        place = self.cursor[FORM] = min(max(self.cursor[FORM], 0), max(len(keys) - 1, 0))
        rows = max(1, down - 5)
        self._top = min(max(self._top, place - rows + 1), place)
        title: Line = [
            ("settings", "title"),
            (f"  {len(self.form.changes)} changed", "mark" if self.form.changes else "dim"),
        ]
        if self.find:
            title.append((f"  / {self.find}", "key"))
        if self.changed_only:
            title.append(("  changed only", "key"))
        return panes.settings(self.planning, keys, self._top, place, title, self.pane == FORM, across, down)

    def _keys(self) -> list[str]:
        return self.form.shown_settings(self.find, self.changed_only)

    @property
    def key(self) -> str:
        """The setting under the cursor."""
        keys = self._keys()
        return keys[min(self.cursor[FORM], len(keys) - 1)] if keys else ""

    # -- keys ----------------------------------------------------------------------------------------------------

    def _move(self, by: int) -> None:
        most = len(STAGES) if self.pane == GRAPH else len(self._keys())
        self.cursor[self.pane] = min(max(self.cursor[self.pane] + by, 0), max(most - 1, 0))

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def do_page_down(self) -> None:
        self._move(10)

    def do_page_up(self) -> None:
        self._move(-10)

    def do_first(self) -> None:
        self._move(-10_000)

    def do_last(self) -> None:
        self._move(10_000)

    def do_pane(self) -> None:
        self.pane = FORM if self.pane == GRAPH else GRAPH

    do_pane_back = do_pane

    def do_left(self) -> None:
        self.pane = GRAPH

    def do_right(self) -> None:
        self.pane = FORM

    def why_not_open(self) -> str:
        if self.pane == GRAPH:
            return self._why_not_target()
        return "" if self.key else "there is no setting here"

    def _why_not_target(self) -> str:
        stage = list(STAGES.values())[self.cursor[GRAPH]]
        return "" if stage.built else f"{stage.name} is not built in this version"

    def do_open(self) -> None:
        """Edit the setting under the cursor, or make the stage the target."""
        if self.pane == GRAPH:
            self.form.target = list(STAGES)[self.cursor[GRAPH]]
            self.cursor[FORM] = 0
            self.planning.refresh()
            return
        key = self.key
        setting = self.form.settings.get(key)
        if setting is not None and (setting.choices or setting.setting.type is bool):
            values = setting.choices or ("true", "false")
            choices = [MenuItem(value, "", value) for value in values]
            here = values.index(self.form.text(key)) if self.form.text(key) in values else 0
            self.context.choose(f"{key}: {setting.help}", choices, lambda text: self.planning.change(key, text), here)
        else:
            self.context.type(
                key,
                self.form.text(key),
                lambda text: self.planning.change(key, text),
                check=setting.fault if setting else lambda text: "",
                hint="commas sweep: 1e-3,9e-4   1..5" if setting and setting.setting.type is not str else "",
            )

    def why_not_mark(self) -> str:
        return self._why_not_target() if self.pane == GRAPH else ""

    def do_mark(self) -> None:
        self.do_open()

    def do_filter(self) -> None:
        before = self.find

        def take(text: str) -> None:
            self.find, self.cursor[FORM], self.pane = text, 0, FORM

        self.context.type("find a setting", before, take, live=take, cancel=lambda: take(before))

    def do_changed(self) -> None:
        self.changed_only = not self.changed_only

    def why_not_reset(self) -> str:
        return "" if self.key in self.form.changes else "this setting was not changed"

    def do_reset(self) -> None:
        self.planning.reset(self.key)

    def do_undo(self) -> None:
        if self.form.undo():
            self.planning.refresh()
        else:
            self.context.say("there is nothing to undo in this form", "warn")

    def why_not_preset(self) -> str:
        return "" if self.form.presets else "this engine has no named experiments"

    def do_preset(self) -> None:
        saved = self.form.saved
        choices = [MenuItem(name, "your own" if name in saved else "", name) for name in self.form.presets]
        self.context.choose("named experiments", choices, self.planning.start_from)

    def why_not_save(self) -> str:
        if self.form.sweeps:
            return "a saved experiment has one value a setting: take the sweep out first"
        if not self.form.changes:
            return "nothing was changed: there is nothing to save"
        key, fault = next(iter(self.form.faults.items()), ("", ""))
        return f"{key} {fault}" if key else ""

    def do_save(self) -> None:
        """Ask for a name; ``engine`` writes the file."""

        def take(name: str) -> None:
            self.context.effects.spawn(self._save(name))

        def check(name: str) -> str:
            if name in self.form.presets and name not in self.form.saved:
                return "is the name of a built-in experiment"
            return "" if PRESET.fullmatch(name) else "small letters, digits, dots and dashes"

        before = self.form.preset if self.form.preset in self.form.saved else ""
        self.context.type(
            "save as experiment", before, take, check=check, hint="chosen later with p, or experiment=NAME"
        )

    async def _save(self, name: str) -> None:
        wrong = await self.planning.save(name)
        self.context.say(f"not saved: {wrong}" if wrong else f"saved: experiment={name}", "bad" if wrong else "")

    def why_not_list_runs(self) -> str:
        if not self.form.sweeps:
            return "one run: commas in a value make several (1e-3,9e-4 or 1..5)"
        return f"{self.form.count:,} are too many to list" if self.form.count > LIMIT else ""

    def do_list_runs(self) -> None:
        texts = panes.combinations(self.form, LIMIT)
        choices = [MenuItem(text, "", text) for text in texts]
        self.context.choose(f"{len(texts)} combinations", choices, lambda text: None)

    def why_not_doctor(self) -> str:
        return self.planning.why_not()

    def do_doctor(self) -> None:
        """All checks on what the form says, whichever boxes are ticked."""
        asked = [word for word in self.planning.examined if word not in ("--only", "overfits")]
        self.context.doctor.examine(" ".join(asked), asked)
        self.context.show(DOCTOR)

    def do_check(self) -> None:
        choices = [
            MenuItem(("[✓] " if name in self.planning.checks else "[ ] ") + name, text, name)
            for name, text in CHECKS.items()
        ]
        self.context.choose("before the start", choices, self.planning.toggle)

    def do_copy(self) -> None:
        text = engine.shown(self.form.command, self.context.root)
        self.context.effects.copy(text)
        self.context.say("copied the command")

    def why_not_start(self) -> str:
        return self.planning.why_not()

    def do_start(self) -> None:
        self.context.effects.spawn(self._start())

    async def _start(self) -> None:
        started = await self.planning.start()
        if self.planning.objection is not None:
            self.context.doctor.show(self.form.target, self.planning.examined, self.planning.objection)
            self.context.show(DOCTOR)
        if started is None:
            self.context.say(f"not started: {self.planning.trouble}", "bad")
            return
        for run in started:
            self.context.watch.scanner.again(run)
        self.context.live.open(started[-1] if started else "")
        self.context.show(RUNS)
        self.context.say(
            f"started {self.form.count} × {self.form.target}: they work on their own, whatever happens here"
        )

    def click(self, x: int, y: int) -> None:
        """A click on a stage or a setting puts the cursor there."""
        self.pane = GRAPH if x < self._left else FORM
        if y >= 1:
            self.cursor[self.pane] = 0
            self._move(y - 1 + (self._top if self.pane == FORM else 0))
