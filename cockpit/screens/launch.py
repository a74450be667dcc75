"""The form of a new run: stages, what of them is reused, settings with their limits, sweeps, the exact command."""

from typing import TYPE_CHECKING, Any

from cockpit.keys import LAUNCH, RUNS
from cockpit.models.form import GRID_LIMIT, Form, changes_from, check, shown, split, stages_for
from cockpit.models.rows import Row
from cockpit.prompts import Choice
from cockpit.render.lines import Line, Lines, beside, box, column, fit, short, width, wrap
from cockpit.services import engine
from cockpit.services.scan import read_config
from engine.stages import STAGES

if TYPE_CHECKING:
    from cockpit.desk import Desk

GRAPH, FORM = "graph", "form"
VALUE = 24  # cells of a value
HELPED = 24  # cells that have to be free in a line before the meaning of the setting stands there too
ACTIONS = {  # what a plan does with a stage -> glyph, word, style
    "reuse": ("✓", "reused", "done"),
    "join": ("●", "at work", "run"),
    "resume": ("↻", "resumed", "warn"),
    "new": ("+", "new", "mark"),
}
CHECKS = {
    "doctor": "check first that data, ids, losses and gradients are sound and one batch can be learnt",
    "again": "run the target anew although a finished run could be reused",
}


class Launch:
    """Stage graph on the left, settings on the right, what would happen below."""

    name = LAUNCH

    def __init__(self, desk: "Desk") -> None:
        self.desk = desk
        self.form = Form()
        self.pane = FORM
        self.cursor = {GRAPH: 0, FORM: 0}
        self.find = ""
        self.changed_only = False
        self.busy = ""
        self.trouble = ""
        self.plan: list[dict[str, Any]] = []
        self.checks: set[str] = set()
        self.possible = {"again"}  # checks that this engine knows
        self._planning = False
        self._stale = False
        self._source: Row | None = None
        self._top = 0

    @property
    def row(self) -> Row | None:
        return None

    def title(self) -> Line:
        line: Line = [(f"  {self.form.target}", "bold")]
        if self.form.preset:
            line.append((f"  preset {self.form.preset}", "key"))
        if self.form.source:
            line.append((f"  from {self.form.source}", "dim"))
        if self.busy:
            line.append((f"  {self.busy}", "warn"))
        return line

    def watched(self) -> list[str]:
        return []

    # -- what engine is asked ------------------------------------------------------------------------------------

    def open(self, row: Row | None = None, preset: str = "") -> None:
        """A new form: empty, of a preset, or with the settings of a run."""
        if row is None and not preset and self.form.settings:
            self._refresh()
            return  # what was typed before is still there
        self.form = Form(preset=preset, target=row.stage if row else "evaluate", again="again" in self.checks)
        self.plan, self.trouble, self._source = [], "", row
        if row is not None:
            self.form.source, self.form.experiment = row.id, row.experiment
            presets = [word.partition("=")[2] for word in row.argv if word.startswith("experiment=")]
            self.form.preset = presets[-1] if presets else ""
        self.desk.effects.spawn(self._load())

    async def _load(self) -> None:
        """Ask for the settings, and whether there is a doctor."""
        self.busy = "reading settings"
        answer = await self.desk.ask(self.form.words({}, run=False))
        self.busy = ""
        if answer.status or not isinstance(answer.value, dict):
            self.trouble = answer.message
            return
        self.form.load(answer.value)
        if self._source is not None:
            config = read_config(self.desk.root / self._source.id)
            self.form.changes |= changes_from(self.form.settings, config)
        self._refresh()
        if "doctor" not in self.possible and not (await self.desk.ask(["doctor", "--help"])).status:
            self.possible.add("doctor")

    def _refresh(self) -> None:
        """Plan anew after a change; one planning at a time."""
        self._stale = True
        if not self._planning:
            self._planning = True
            self.desk.effects.spawn(self._plan())

    async def _plan(self) -> None:
        try:
            while self._stale:
                self._stale = False
                if self.form.faults or self.form.count > GRID_LIMIT:
                    continue
                self.busy = "planning"
                answer = await self.desk.ask([*self._words(self._first()), "--plan"], self.desk.root)
                if self._stale:
                    continue
                self.trouble = answer.message if answer.status else ""
                steps = answer.value.get("steps") if isinstance(answer.value, dict) else None
                self.plan = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
        finally:
            self._planning, self.busy = False, ""

    def _first(self) -> dict[str, str]:
        return next(self.form.grid(), {})

    def _words(self, changes: dict[str, str]) -> list[str]:
        return self.form.words(changes)

    # -- the picture ---------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        left = 40 if across >= 110 else 30
        below = 8 if down >= 26 else 6
        above = beside([self._graph(left, down - below), self._form(across - left, down - below)])
        return [*above, *self._preview(across, below)]

    def _graph(self, across: int, down: int) -> Lines:
        wanted = stages_for(self.form.target)
        plans = {step.get("stage"): step for step in self.plan}
        lines: Lines = []
        for index, (name, stage) in enumerate(STAGES.items()):
            step = plans.get(name)
            glyph, word, style = ACTIONS.get(str(step.get("action")) if step else "", ("·", "", "dim"))
            if not stage.built:
                glyph, word, style = "·", "not built yet", "dim"
            elif step is None and name in wanted and self.plan:
                glyph, word, style = "·", "not needed", "dim"
            target = "◆" if name == self.form.target else "│" if name in wanted else " "
            run = str(step.get("run") or "")[-11:] if step else ""
            line: Line = [
                (f" {target} ", "mark"),
                (f"{glyph} ", style),
                (column(name, 10), "bold" if name in wanted else "dim"),
                (word + "  ", style),
                (run, "dim"),
            ]
            if self.pane == GRAPH and index == self.cursor[GRAPH]:
                line = [(column("".join(text for text, _ in line), across - 2), "select")]
            lines.append(line)
        here = list(STAGES.values())[self.cursor[GRAPH]]
        step = plans.get(here.name)
        lines += [[], [(here.help if self.pane == GRAPH else "", "dim")]]
        if step and self.pane == GRAPH:
            lines.append([(str(step.get("why", "")), "")])
        frame = "focus" if self.pane == GRAPH else "border"
        return box(
            [("stages", "title"), ("  space target", "dim")],
            [part for line in lines for part in wrap(line, across - 2, 0)],
            across,
            down,
            frame,
        )

    def _form(self, across: int, down: int) -> Lines:
        keys = self._keys()
        place = self.cursor[FORM] = min(max(self.cursor[FORM], 0), max(len(keys) - 1, 0))
        rows = max(1, down - 5)
        self._top = min(max(self._top, place - rows + 1), place)
        name = min(max((len(key) for key in keys), default=12), across // 2)
        lines: Lines = []
        for index, key in enumerate(keys[self._top : self._top + rows], self._top):
            line = self._field(key, name)
            free = across - 2 - max(width(line), name + VALUE) - 2
            if free > HELPED:
                line = [*fit(line, max(width(line), name + VALUE) + 2), (short(self._help(key), free), "dim")]
            if self.pane == FORM and index == place:
                line = [(column("".join(text for text, _ in line), across - 2), "select")]
            lines.append(line)
        if not keys:
            text = self.trouble or self.busy or ("nothing fits" if self.form.settings else "no settings yet")
            lines = [[(part, "bad" if self.trouble else "dim")] for part in text.splitlines()]
        lines += [[] for _ in range(rows - len(lines))]
        if keys:
            lines += [[("─" * (across - 2), "border")], *self._about(keys[place], across - 2)]
        title: Line = [
            ("settings", "title"),
            (f"  {len(self.form.changes)} changed", "mark" if self.form.changes else "dim"),
        ]
        if self.find:
            title.append((f"  / {self.find}", "key"))
        if self.changed_only:
            title.append(("  changed only", "key"))
        return box(title, lines, across, down, "focus" if self.pane == FORM else "border")

    def _field(self, key: str, name: int) -> Line:
        form = self.form
        changed, fault = key in form.changes, form.fault(key)
        values = form.values(key)
        line: Line = [(column(key, name) + " ", "bold" if changed else "")]
        line.append(("*" if changed else " ", "mark"))
        line.append((form.text(key), "bad" if fault else "mark" if changed else ""))
        if fault:
            line.append((f"   ✗ {fault}", "bad"))
        elif len(values) > 1:
            line.append((f"   sweep: {len(values)} values", "key"))
        elif changed and key in form.settings:
            line.append((f"   was {shown(form.settings[key].value)}", "dim"))
        return line

    def _help(self, key: str) -> str:
        setting = self.form.settings.get(key)
        return f"{setting.help}  {'' if setting.choices else setting.limits}" if setting else ""

    def _about(self, key: str, across: int) -> Lines:
        setting = self.form.settings.get(key)
        if setting is None:
            return [[("this engine has no such setting: backspace takes it away", "warn")]]
        return [[(short(setting.help, across), "")], [(short(setting.limits, across), "dim")]]

    def _preview(self, across: int, down: int) -> Lines:
        form = self.form
        lines: Lines = []
        faults = form.faults
        first = self._first() if form.count <= GRID_LIMIT else {}
        if faults:
            lines += [[("✗ ", "bad"), (key + "  ", "bold"), (fault, "bad")] for key, fault in faults.items()]
        elif form.count > GRID_LIMIT:
            lines.append([(f"✗ {form.count:,} runs are more than {GRID_LIMIT}: fewer values, please", "bad")])
        elif self.trouble:
            lines += [[("✗ " + part, "bad")] for part in self.trouble.splitlines()[:3]]
        sweeps = " × ".join(f"{len(values)} {key}" for key, values in form.sweeps.items())
        new = [str(step.get("stage")) for step in self.plan if step.get("action") in ("new", "resume")]
        reused = [str(step.get("stage")) for step in self.plan if step.get("action") in ("reuse", "join")]
        if sweeps:
            lines.append([(f"{sweeps} = {form.count} runs", "mark"), ("   the plan shows the first", "dim")])
        if self.plan and not faults:
            told = f"runs: {', '.join(new)}" if new else "everything is there already: nothing would run"
            lines.append([(told, ""), (f"   reused: {', '.join(reused)}" if reused else "", "dim")])
        lines.append([("$ ", "dim"), (engine.shown(self._words(first), self.desk.root), "")])
        lines.append([part for name in CHECKS if name in self.possible for part in self._box(name)])
        return box([("what happens", "title"), ("  ctrl+r starts", "key"), ("  y copies", "dim")], lines, across, down)

    def _box(self, name: str) -> Line:
        return [
            ("[✓] " if name in self.checks else "[ ] ", "key"),
            (f"{name}   ", "" if name in self.checks else "dim"),
        ]

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
            self._refresh()
            return
        key = self.key
        setting = self.form.settings.get(key)
        if setting is not None and (setting.choices or setting.type == "bool"):
            values = setting.choices or ("true", "false")
            choices = [Choice(value, "", value) for value in values]
            here = values.index(self.form.text(key)) if self.form.text(key) in values else 0
            self.desk.choose(f"{key}: {setting.help}", choices, lambda text: self._change(key, text), here)
        else:
            self.desk.type(
                key,
                self.form.text(key),
                lambda text: self._change(key, text),
                check=lambda text: self._check(key, text),
                hint="commas sweep: 1e-3,9e-4   1..5" if setting and setting.type != "str" else "",
            )

    def _check(self, key: str, text: str) -> str:
        setting = self.form.settings.get(key)
        if setting is None:
            return ""
        return next((fault for part in split(text, setting.type) if (fault := check(setting, part))), "")

    def _change(self, key: str, text: str) -> None:
        self.form.change(key, text)
        group = key in self.form.settings and self.form.settings[key].group
        if group:  # another file has other values: ask for them
            self.desk.effects.spawn(self._reload())
        else:
            self._refresh()

    async def _reload(self) -> None:
        """Ask for the settings again under the chosen files."""
        self.busy = "reading settings"
        groups = {key: text for key, text in self.form.changes.items() if self.form.settings[key].group}
        answer = await self.desk.ask(self.form.words(groups, run=False))
        self.busy = ""
        if answer.status or not isinstance(answer.value, dict):
            self.trouble = answer.message
            return
        chosen = {key: self.form.settings[key] for key in groups}
        self.form.load(answer.value)
        self.form.settings |= chosen  # the file that is in force without the change
        self._refresh()

    def why_not_mark(self) -> str:
        return self._why_not_target() if self.pane == GRAPH else ""

    def do_mark(self) -> None:
        self.do_open()

    def do_filter(self) -> None:
        before = self.find

        def take(text: str) -> None:
            self.find, self.cursor[FORM], self.pane = text, 0, FORM

        self.desk.type("find a setting", before, take, live=take, cancel=lambda: take(before))

    def do_changed(self) -> None:
        self.changed_only = not self.changed_only

    def why_not_reset(self) -> str:
        return "" if self.key in self.form.changes else "this setting was not changed"

    def do_reset(self) -> None:
        key = self.key
        group = key in self.form.settings and self.form.settings[key].group
        self.form.reset(key)
        if group:
            self.desk.effects.spawn(self._reload())
        self._refresh()

    def do_undo(self) -> None:
        if self.form.undo():
            self._refresh()
        else:
            self.desk.say("there is nothing to undo in this form", "warn")

    def why_not_preset(self) -> str:
        return "" if self.form.presets else "this engine has no named experiments"

    def do_preset(self) -> None:
        def take(name: str) -> None:
            self.form.preset, self.form.changes = name, {}
            self.desk.effects.spawn(self._load())

        choices = [Choice(name, "", name) for name in self.form.presets]
        self._source = None
        self.desk.choose("named experiments", choices, take)

    def do_check(self) -> None:
        def take(name: str) -> None:
            self.checks ^= {name}
            self.form.again = "again" in self.checks
            self._refresh()

        choices = [
            Choice(("[✓] " if name in self.checks else "[ ] ") + name, text, name)
            for name, text in CHECKS.items()
            if name in self.possible
        ]
        self.desk.choose("before the start", choices, take)

    def do_copy(self) -> None:
        text = engine.shown(self._words(self._first()), self.desk.root)
        self.desk.effects.copy(text)
        self.desk.say("copied the command")

    def why_not_start(self) -> str:
        if not self.form.settings:
            return self.trouble or "the settings are not read yet"
        if self.form.faults:
            key, fault = next(iter(self.form.faults.items()))
            return f"{key} {fault}"
        if self.form.count > GRID_LIMIT:
            return f"{self.form.count:,} runs are too many"
        return "it is starting already" if self.busy.startswith("starting") else ""

    def do_start(self) -> None:
        self.desk.effects.spawn(self._start())

    async def _start(self) -> None:
        """Start every combination, one after the other: each plan sees the runs of those before it."""
        combinations = list(self.form.grid())
        if "doctor" in self.checks:
            self.busy = "starting: the doctor looks"
            answer = await self.desk.ask(["doctor", *self._words(combinations[0])[1:]], self.desk.root)
            if answer.status:
                self.busy, self.trouble = "", answer.message
                self.desk.say(f"not started, the doctor objects: {answer.message}", "bad")
                return
        started: list[str] = []
        for number, changes in enumerate(combinations, 1):
            self.busy = f"starting {number} of {len(combinations)}"
            answer = await self.desk.ask([*self._words(changes), "--detach"], self.desk.root)
            runs = answer.value.get("runs") if isinstance(answer.value, dict) else None
            if answer.status or not isinstance(runs, dict):
                self.busy, self.trouble = "", answer.message
                self.desk.say(f"not started: {answer.message}", "bad")
                return
            started += [str(run) for run in runs.values()]
        self.busy = ""
        for run in started:
            self.desk.scanner.again(run)
        self.desk.live.open(started[-1] if started else "")
        self.desk.show(RUNS)
        self.desk.say(
            f"started {len(combinations)} × {self.form.target}: they work on their own, whatever happens here"
        )

    def click(self, x: int, y: int) -> None:
        """A click on a stage or a setting puts the cursor there."""
        across = 40 if x >= 0 else 0
        self.pane = GRAPH if x < min(across, 30) else FORM
        if y >= 1:
            self.cursor[self.pane] = 0
            self._move(y - 1 + (self._top if self.pane == FORM else 0))
