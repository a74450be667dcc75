"""The form of a new run: stages, what of them is reused, settings with their limits, sweeps, the exact command."""

import re
from collections.abc import Sequence
from typing import Any

from cockpit.actions import navigate
from cockpit.context import Context, Screen
from cockpit.keys import DOCTOR, LAUNCH, LIVE, RUNS
from cockpit.models.estimate import Estimate, estimate
from cockpit.models.form import Form, FormField, shown
from cockpit.models.rows import Row
from cockpit.models.scroll import Cursor
from cockpit.panes import launch as panes
from cockpit.panes.launch import CHECKS
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines, beside
from cockpit.services import engine
from cockpit.services.planning import Planning
from cockpit.services.scan import read_config
from cockpit.services.sizes import disk_use
from engine.config.grammar import LIMIT
from engine.stages import SEQUENCES, STAGES, makes

GRAPH, FORM = "graph", "form"
PRESET = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")  # as the engine has it


class LaunchScreen(Screen):
    """Stage graph on the left, settings on the right, the plan below."""

    name = LAUNCH

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.planning = Planning(context.root, context.ask, context.effects.spawn)
        self.focus = FORM
        self.cursors = {GRAPH: Cursor(), FORM: Cursor()}
        self.find = ""
        self.changed_only = False
        self._left = 0  # cells of the stage graph
        self._costs: tuple[object, Estimate | None] = (None, None)  # a plan and its estimate

    @property
    def form(self) -> Form:
        return self.planning.form

    def title(self) -> Line:
        line: Line = [(f"  {self.form.target}", "bold")]
        if self.form.preset:
            line.append((f"  preset {self.form.preset}", "key"))
        if self.form.source:
            line.append((f"  from {self.form.source}", "dim"))
        if self.planning.busy:
            line.append((f"  {self.planning.busy}", "warn"))
        return line

    def open(self, row: Row | None = None, preset: str = "") -> None:
        """Open a form: the previous one, one of a preset, or one with the settings of a run."""
        self.find, self.changed_only = "", False
        if row is not None or preset or not self.form.settings:  # otherwise the previous form is kept
            self.planning.root = self.context.folders.root(row.id) if row else self.context.root
        self.planning.open(row, preset)

    # -- drawing -------------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        self._left = left = 40 if across >= 110 else 30
        below = (8 if down >= 26 else 7) + (6 if down >= 36 and self.form.sweeps else 0)
        graph = panes.graph(self.planning, self.cursors[GRAPH].line, self.focus == GRAPH, left, down - below)
        above = beside([graph, self._settings(across - left, down - below)])
        free = self.context.watch.machine.disk_free
        return [*above, *panes.preview(self.planning, self.planning.root, self._cost(), free, across, below)]

    def _cost(self) -> Estimate | None:
        """Time and disk space that the plan would take; computed once for each plan."""
        steps = self.planning.steps
        if self._costs[0] is not steps:
            data = next((str(step.get("run") or "") for step in steps if makes(str(step.get("stage")), SEQUENCES)), "")
            rows = self.context.list.rows.values()
            epochs = {stage: mean for stage in self.planning.new if (mean := self.form.epochs(stage)) is not None}
            sizes, settings = self._size, self._settings_of
            cost = estimate(self.planning.new, rows, data, sizes, epochs, settings)
            self._costs = (steps, cost if steps else None)
        return self._costs[1]

    def _size(self, run: str) -> int:
        return disk_use(self.context.folders / run)

    def _settings_of(self, row: Row) -> dict[str, Any]:
        if row.config is None:
            row.config = read_config(self.context.folders / row.id)
        return row.config

    def _settings(self, across: int, down: int) -> Lines:
        keys = self.shown_keys()
        cursor = self.cursors[FORM]
        top = cursor.fit(len(keys), panes.field_rows(across, down))
        title: Line = [
            ("settings", "title"),
            (f"  {len(self.form.changes)} changed", "mark" if self.form.changes else "dim"),
        ]
        if self.find:
            title.append((f"  / {self.find}", "key"))
        if self.changed_only:
            title.append(("  changed only", "key"))
        return panes.settings(self.planning, keys, top, cursor.line, title, self.focus == FORM, across, down)

    def shown_keys(self) -> list[str]:
        return self.form.shown_settings(self.find, self.changed_only)

    @property
    def key(self) -> str:
        """The setting under the cursor."""
        keys = self.shown_keys()
        return keys[min(self.cursors[FORM].line, len(keys) - 1)] if keys else ""

    # -- keys ----------------------------------------------------------------------------------------------------

    def do_back(self) -> None:
        """One layer back: what hides settings first, then the screen."""
        if self.find or self.changed_only:
            self.find, self.changed_only = "", False
        else:
            navigate.do_back(self.context)

    def panes(self) -> Sequence[str]:
        return (GRAPH, FORM)

    @property
    def page(self) -> int:
        return self.cursors[self.focus].page

    def move(self, by: int) -> None:
        self.cursors[self.focus].step(by, len(STAGES) if self.focus == GRAPH else len(self.shown_keys()))

    def do_left(self) -> None:
        self.focus = GRAPH

    def do_right(self) -> None:
        self.focus = FORM

    def why_not_open(self) -> str:
        if self.focus == GRAPH:
            return self._why_not_target()
        return "" if self.key else "there is no setting here"

    def _why_not_target(self) -> str:
        stage = list(STAGES.values())[self.cursors[GRAPH].line]
        return "" if stage.built else f"{stage.name} is not built in this version"

    def do_open(self) -> None:
        """Edit the setting under the cursor, or make the stage the target."""
        if self.focus == GRAPH:
            self.form.target = list(STAGES)[self.cursors[GRAPH].line]
            self.cursors[FORM].line = 0
            self.planning.refresh()
            return
        key = self.key
        setting = self.form.settings.get(key)
        if setting is not None and setting.choices and setting.listed:
            self._open_list(key, setting)
        elif setting is not None and (setting.choices or setting.setting.type is bool):
            values = setting.choices or ("true", "false")
            items = [MenuItem(value, "", value) for value in values]
            here = values.index(self.form.text(key)) if self.form.text(key) in values else 0
            self.context.open_menu(f"{key}: {setting.help}", items, lambda text: self.planning.change(key, text), here)
        else:
            self._open_text(key, setting)

    def _open_text(self, key: str, setting: FormField | None) -> None:
        self.context.open_prompt(
            key,
            self.form.text(key),
            lambda text: self.planning.change(key, text),
            check=setting.fault if setting else lambda text: "",
            hint="commas sweep: 1e-3,9e-4   1..5" if setting and setting.setting.type is not str else "",
        )

    def _open_list(self, key: str, setting: FormField, cursor: int = 0) -> None:
        """Boxes for a list of fixed choices, in the order in which they are ticked; the last line takes a text."""
        chosen = setting.parts(self.form.text(key))

        def take(value: str) -> None:
            if not value:
                self._open_text(key, setting)
                return
            left = [one for one in chosen if one != value] if value in chosen else [*chosen, value]
            self.planning.change(key, shown(left))
            self._open_list(key, setting, setting.choices.index(value))

        items = [MenuItem(f"[{'✓' if value in chosen else ' '}] {value}", "", value) for value in setting.choices]
        items.append(MenuItem("as text", "several lists sweep: [a,b],[a]", ""))
        self.context.open_menu(f"{key}: enter ticks, esc closes", items, take, cursor)

    def why_not_mark(self) -> str:
        return self._why_not_target() if self.focus == GRAPH else ""

    def do_mark(self) -> None:
        self.do_open()

    def do_filter(self) -> None:
        before = self.find

        def take(text: str) -> None:
            self.find, self.cursors[FORM].line, self.focus = text, 0, FORM

        self.context.open_prompt("find a setting", before, take, live=take, cancel=lambda: take(before))

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
            self.context.notify("there is nothing to undo in this form", "warn")

    def why_not_preset(self) -> str:
        return "" if self.form.presets else "this engine has no named experiments"

    def do_preset(self) -> None:
        saved = self.form.saved
        items = [MenuItem(name, "your own" if name in saved else "", name) for name in self.form.presets]
        self.context.open_menu("named experiments", items, self.planning.start_from)

    def why_not_save(self) -> str:
        if self.form.sweeps:
            return "a saved experiment has one value per setting: remove the sweep first"
        if not self.form.changes:
            return "nothing was changed: there is nothing to save"
        key, fault = next(iter(self.form.faults.items()), ("", ""))
        return f"{key} {fault}" if key else ""

    def do_save(self) -> None:
        """Request a name; ``engine`` writes the file."""

        def take(name: str) -> None:
            self.context.effects.spawn(self._save(name))

        def check(name: str) -> str:
            if name in self.form.presets and name not in self.form.saved:
                return "is the name of a built-in experiment"
            return "" if PRESET.fullmatch(name) else "lower-case letters, digits, dots and dashes"

        before = self.form.preset if self.form.preset in self.form.saved else ""
        self.context.open_prompt(
            "save as experiment", before, take, check=check, hint="load it later with p, or experiment=NAME"
        )

    async def _save(self, name: str) -> None:
        error = await self.planning.save(name)
        self.context.notify(f"not saved: {error}" if error else f"saved: experiment={name}", "bad" if error else "")

    def why_not_list_runs(self) -> str:
        if not self.form.sweeps:
            return "one run: commas in a value make several (1e-3,9e-4 or 1..5)"
        return f"{self.form.count:,} are too many to list" if self.form.count > LIMIT else ""

    def do_list_runs(self) -> None:
        texts = panes.combinations(self.form, LIMIT)
        items = [MenuItem(text, "", text) for text in texts]
        self.context.open_menu(f"{len(texts)} combinations", items, lambda text: None)

    def why_not_doctor(self) -> str:
        return self.planning.why_not()

    def do_doctor(self) -> None:
        """Examine the settings of the form with all checks, whichever are ticked."""
        arguments = [word for word in self.planning.examined if word not in ("--only", "overfits")]
        self.context.show(DOCTOR, " ".join(arguments), arguments)

    def do_check(self) -> None:
        items = [
            MenuItem(("[✓] " if name in self.planning.checks else "[ ] ") + name, text, name)
            for name, text in CHECKS.items()
        ]
        self.context.open_menu("checks before the start", items, self.planning.toggle)

    def do_copy(self) -> None:
        self.context.copy(engine.shown(self.form.command, self.planning.root), "the command")

    def why_not_start(self) -> str:
        return self.planning.why_not()

    def do_start(self) -> None:
        self.context.effects.spawn(self._start())

    async def _start(self) -> None:
        started = await self.planning.start()
        if self.planning.objection is not None:
            arguments, result = self.planning.examined, self.planning.objection
            self.context.show(DOCTOR, self.form.target, arguments, result=result)
        if started is None:
            self.context.notify(f"not started: {self.planning.trouble}", "bad")
            return
        for run in started:
            self.context.watch.scanner.again(run)
        if started:
            self.context.list.awaited = started[-1]
            self.context.show(LIVE, started[-1])
        self.context.show(RUNS)
        self.context.notify(f"started {self.form.count} × {self.form.target}: closing the cockpit does not stop them")

    def click(self, x: int, y: int) -> None:
        """A click on a stage or a setting puts the cursor there."""
        self.focus = GRAPH if x < self._left else FORM
        if y >= 1:
            cursor = self.cursors[self.focus]
            cursor.line = cursor.top + y - 1
            self.move(0)
