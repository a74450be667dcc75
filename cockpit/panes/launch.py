"""The parts of the launch screen: stage graph, settings, and what a start would do."""

import itertools
from pathlib import Path

from cockpit.models.estimate import Estimate
from cockpit.models.form import Form, shown
from cockpit.render.lines import Line, Lines, box, fit, selected, width, wrap
from cockpit.services import engine
from cockpit.services.planning import AGAIN, BATCH, DOCTOR, Planning
from engine.config.grammar import LIMIT
from engine.report import numbers
from engine.report.tables import column, short
from engine.stages import STAGES

VALUE = 24  # cells of a value
HELPED = 24  # free cells from which on a line also has the setting's help
ACTIONS = {  # what a plan does with a stage -> glyph, word, style
    "reuse": ("✓", "reused", "done"),
    "join": ("●", "at work", "run"),
    "resume": ("↻", "resumed", "warn"),
    "new": ("+", "new", "mark"),
}
WIDE_HELP = 80  # cells from which on most helps fit in a line
CHECKS = {
    DOCTOR: "before the start: are data, ids, losses and gradients sound, can one batch be learnt (a minute)",
    BATCH: "before the start: can one batch be learnt by heart (half a minute)",
    AGAIN: "run the target anew although a finished run could be reused",
}


def graph(planning: Planning, cursor: int, focused: bool, across: int, down: int) -> Lines:
    """Every stage and what a start would do with it."""
    form = planning.form
    wanted = form.stages
    plans = {step.get("stage"): step for step in planning.steps}
    lines: Lines = []
    for index, (name, stage) in enumerate(STAGES.items()):
        step = plans.get(name)
        glyph, word, style = ACTIONS.get(str(step.get("action")) if step else "", ("·", "", "dim"))
        if not stage.built:
            glyph, word, style = "·", "not built yet", "dim"
        elif step is None and name in wanted and planning.steps:
            glyph, word, style = "·", "not needed", "dim"
        target = "◆" if name == form.target else "│" if name in wanted else " "
        run = str(step.get("run") or "")[-11:] if step else ""
        line: Line = [
            (f" {target} ", "mark"),
            (f"{glyph} ", style),
            (column(name, 10), "bold" if name in wanted else "dim"),
            (word + "  ", style),
            (run, "dim"),
        ]
        if focused and index == cursor:
            line = selected(line, across - 2)
        lines.append(line)
    here = list(STAGES.values())[cursor]
    step = plans.get(here.name)
    lines += [[], [(here.help if focused else "", "dim")]]
    if step and focused:
        lines.append([(str(step.get("why", "")), "")])
    return box(
        [("stages", "title"), ("  space target", "dim")],
        [part for line in lines for part in wrap(line, across - 2, 0)],
        across,
        down,
        focused,
    )


def settings(
    planning: Planning, keys: list[str], top: int, cursor: int, title: Line, focused: bool, across: int, down: int
) -> Lines:
    """The settings ``keys`` from the one at ``top`` on, and the help of the one under the cursor."""
    form = planning.form
    rows = field_rows(across, down)
    name = min(max((len(key) for key in keys), default=12), across // 2)
    lines: Lines = []
    for index, key in enumerate(keys[top : top + rows], top):
        line = _field(form, key, name)
        free = across - 2 - max(width(line), name + VALUE) - 2
        if free > HELPED:
            line = [*fit(line, max(width(line), name + VALUE) + 2), (short(_help(form, key), free), "dim")]
        if focused and index == cursor:
            line = selected(line, across - 2)
        lines.append(line)
    if not keys:
        hidden = "no setting fits: esc shows all" if form.settings else "no settings yet"
        text = planning.trouble or planning.busy or hidden
        lines = [[(part, "bad" if planning.trouble else "dim")] for part in text.splitlines()]
    lines += [[] for _ in range(rows - len(lines))]
    if keys:
        lines += [[("─" * (across - 2), "border")], *_about(form, keys[cursor], across - 2, down - 3 - rows)]
    return box(title, lines, across, down, focused)


def _field(form: Form, key: str, name: int) -> Line:
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


def _help(form: Form, key: str) -> str:
    setting = form.settings.get(key)
    return f"{setting.help}  {'' if setting.choices else setting.limits}" if setting else ""


def field_rows(across: int, down: int) -> int:
    """Lines for settings above the help of one, which takes more lines in a narrow box."""
    return max(1, down - (5 if across >= WIDE_HELP else 7))


def _about(form: Form, key: str, across: int, down: int) -> Lines:
    """Help and limits of a setting, in at most ``down`` lines."""
    setting = form.settings.get(key)
    if setting is None:
        return [[("this engine has no such setting: backspace takes it away", "warn")]]
    help_lines, limits = (
        wrap([(text, style)], across, 0) for text, style in ((setting.help, ""), (setting.limits, "dim"))
    )
    return [*help_lines[: max(1, down - len(limits))], *limits][:down]


def preview(planning: Planning, root: Path, cost: Estimate | None, free: float | None, across: int, down: int) -> Lines:
    """Faults, the runs that would be made and their cost, the exact command, and the checks before it."""
    form = planning.form
    lines: Lines = []
    faults = form.faults
    if faults:
        lines += [[("✗ ", "bad"), (key + "  ", "bold"), (fault, "bad")] for key, fault in faults.items()]
    elif form.count > LIMIT:
        lines.append([(f"✗ {form.count:,} runs are more than {LIMIT}: fewer values, please", "bad")])
    elif planning.trouble:
        lines += [[("✗ " + part, "bad")] for part in planning.trouble.splitlines()[:3]]
    if form.sweeps:
        sweeps = " × ".join(f"{len(values)} {key}" for key, values in form.sweeps.items())
        lines.append([(f"{sweeps} = {form.count:,} combinations", "mark"), ("   v lists them", "dim")])
    if planning.steps and not faults:
        lines.append(_made(planning))
        if cost and planning.new:
            lines.append(_cost(cost, free))
    lines.append([("$ ", "dim"), (engine.shown(form.command, root), "")])
    boxes = [part for name in CHECKS for part in _box(name, planning.checks)]
    room = down - 3 - len(lines)
    if form.sweeps and room > 1:
        lines += _combinations(form, room)
    lines = [*lines[: down - 3], boxes]
    return box([("what happens", "title"), ("  ctrl+r starts", "key"), ("  y copies", "dim")], lines, across, down)


def _made(planning: Planning) -> Line:
    """Stages that would run, and those that are reused."""
    counted = [f"{count} {stage}" if planning.form.sweeps else stage for stage, count in planning.new.items()]
    reused = [str(step.get("stage")) for step in planning.steps if step.get("action") in ("reuse", "join")]
    new = f"runs: {', '.join(counted)}" if counted else "everything is there already: nothing would run"
    return [(new, ""), (f"   reused: {', '.join(reused)}" if reused else "", "dim")]


def _cost(cost: Estimate, free: float | None) -> Line:
    """Time and disk space, estimated from earlier runs."""
    line: Line = []
    if cost.based_on:
        span = f" ({numbers.duration(cost.least)} to {numbers.duration(cost.most)})" if cost.most > cost.least else ""
        runs = f"{cost.based_on} earlier run{'s' * (cost.based_on != 1)}"
        line.append(
            (f"about {numbers.duration(cost.seconds)}{span} of work, {numbers.size(cost.bytes)} on the disk", "")
        )
        line.append((f"   by {runs}", "dim"))
        if free is not None and cost.bytes > free:
            line.append((f"   ✗ only {numbers.size(free)} are free", "bad"))
    if cost.unknown:
        line.append((f"{'   ' if line else ''}no earlier run tells of {', '.join(cost.unknown)}", "dim"))
    return line


def _combinations(form: Form, room: int) -> Lines:
    """The first combinations and the number of others."""
    shown = room if form.count <= room else room - 1
    lines: Lines = [[(f"  {text}", "dim")] for text in combinations(form, shown)]
    if form.count > shown:
        lines.append([(f"  and {form.count - shown:,} more", "dim")])
    return lines


def combinations(form: Form, most: int) -> list[str]:
    """The values that differ between the runs of a sweep, one text per run."""
    grid = itertools.islice(form.grid(), most)
    return [" ".join(f"{key}={value}" for key, value in point.items() if key in form.sweeps) for point in grid]


def _box(name: str, checks: set[str]) -> Line:
    chosen = name in checks
    return [("[✓] " if chosen else "[ ] ", "key"), (f"{name}   ", "" if chosen else "dim")]
