"""The texts of a comparison: metrics with their differences, settings, runs, notes and verdict.

The screen cuts the lines to their panes. Groups are called A, B, ... in the colours of their curves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from cockpit.models.groups import LETTERS, RunGroup
from cockpit.models.rows import Row
from cockpit.panes.run_table import appearance, progress
from cockpit.render.lines import Line, Lines, wrap
from cockpit.theme import CURVES
from engine.report import numbers
from engine.report.tables import column, right
from engine.wire import ComparedMetric, Comparison, GroupDifference, Spread

ROOMY = 96  # cells from which on a metric's line has every column
ANSWERS = {"yes": "ok", "no": "bad", "undecided": "warn"}
VERDICTS = {"better": "ok", "worse": "bad", "undecided": "warn"}


def style(group: int) -> str:
    """The colour of a group."""
    return f"series{group % CURVES}"


def spread(values: Spread) -> str:
    """Mean and standard deviation over the seeds, with as many decimals as the mean has."""
    mean = numbers.figure(values.mean)
    if values.sd is None:
        return mean
    decimals = len(mean.partition(".")[2]) if "e" not in mean else None
    sd = numbers.figure(values.sd) if decimals is None else f"{values.sd:.{decimals}f}".replace("0.", ".", 1)
    return f"{mean}±{sd}"


@dataclass(frozen=True)
class Widths:
    """Cells of the columns; columns of 0 cells are not shown."""

    metric: int
    model: int
    spread: int
    other: int
    percent: int
    interval: int
    p: int
    over: int

    @classmethod
    def of(cls, comparison: Comparison, across: int) -> Self:
        name = max([11, *(len(metric.metric) for metric in comparison.metrics)])
        letter = 2 if len(comparison.groups) > 2 else 0  # names the group of a line
        if across < ROOMY:
            return cls(name, 0, 11, 11 + letter, 0, 15, 6, 0)
        model = max((len(metric.model or "") for metric in comparison.metrics), default=0)
        return cls(name, model, 13, 13 + letter, 7, 18, 7, 11)


def metrics(comparison: Comparison, across: int) -> Lines:
    """A line for every metric, other group and pairing (over seeds, over test rows)."""
    wide = Widths.of(comparison, across)
    other = "other" if len(comparison.groups) > 2 else "B"
    head = [
        (column, "metric", wide.metric),
        (column, "model", wide.model),
        (column, "A mean±sd", wide.spread),
        (column, f"{other} mean±sd", wide.other),
        (right, "Δ", 7),
        (right, "%", wide.percent),
        (column, "95 % interval", wide.interval),
        (right, "p" if wide.p < 7 else "p Holm", wide.p),
        (column, "over", wide.over),
    ]
    lines: Lines = [[(" ".join(cut(text, size) for cut, text, size in head if size) + " verdict", "dim")]]
    model = ""
    for metric in comparison.metrics:
        if not wide.model and (metric.model or "") != model:
            model = metric.model or ""
            lines.append([(model, "title")])
        lines += _of_metric(metric, wide)
    return lines


def _of_metric(metric: ComparedMetric, wide: Widths) -> Lines:
    lines: Lines = []
    for other in range(1, len(metric.groups)):
        found = [one for one in metric.differences if one.other == other]
        for index, one in enumerate(found or [None]):
            first, begins = index == 0 and other == 1, index == 0
            name = metric.metric if first else "" if begins or one is None or wide.over else f"  over {one.over}"
            line: Line = [(column(name, wide.metric) + " ", "bold" if found and first else "dim")]
            if wide.model:
                line.append((column((metric.model or "") if first else "", wide.model) + " ", "dim"))
            line.append((column(spread(metric.groups[0]) if first else "", wide.spread) + " ", style(0)))
            text = spread(metric.groups[other]) if begins else ""
            text = f"{LETTERS[other]} {text}" if begins and len(metric.groups) > 2 else text
            line.append((column(text, wide.other) + " ", style(other)))
            lines.append([*line, *(_difference(one, wide) if one else [])])
    return lines


def _difference(one: GroupDifference, wide: Widths) -> Line:
    certain = one.low is not None and one.high is not None
    interval = (
        f"[{numbers.signed(one.low)},{numbers.signed(one.high)}]" if certain else "one seed" if one.n else "no pairs"
    )
    line: Line = [(right(numbers.signed(one.mean), 7) + " ", "")]
    if wide.percent:
        line.append((right("" if one.percent is None else f"{one.percent:+.1f}", wide.percent) + " ", "dim"))
    line.append((column(interval, wide.interval) + " ", "" if certain else "dim"))
    line.append((right(numbers.figure(one.p_holm, 3) if certain else "", wide.p) + " ", ""))
    if wide.over:
        line.append((column(f"{one.n:,} {one.over}", wide.over) + " ", "dim"))
    return [*line, (one.verdict, VERDICTS.get(one.verdict, ""))]


def settings(comparison: Comparison, every: bool, across: int) -> Lines:
    """The settings of each group; equal ones only when ``every`` is set."""
    rows = [row for row in comparison.settings if every or not row.same]
    count = len(comparison.groups)
    name = min(max([7, *(len(row.name) for row in rows)]), max(across // 2, 12))
    cell = max(4, (across - name - 1) // max(count, 1) - 1)
    cell = min(cell, max([6, *(len(numbers.setting(value)) for row in rows for value in row.values)]))
    lines: Lines = [[(column("setting", name) + " ", "dim")]]
    lines[0] += [(column(LETTERS[group], cell) + " ", style(group)) for group in range(count)]
    for row in rows:
        values = [(column(numbers.setting(value), cell) + " ", "dim" if row.same else "bold") for value in row.values]
        lines.append([(_tail(row.name, name) + " ", "dim" if row.same else ""), *values])
    hidden = len(comparison.settings) - len(rows)
    if hidden:
        lines.append([(f"{hidden} equal settings hidden  (d shows all)", "dim")])
    return lines


def _tail(name: str, size: int) -> str:
    """A dotted name, cut at its front."""
    return column(name, size) if len(name) <= size else "…" + name[-(size - 1) :]


def runs(groups: Sequence[RunGroup], metric: str, across: int) -> Lines:
    """A line per run: its group, progress, best value and state."""
    wide = across >= 72
    lines: Lines = [[(f"  run{'':15}  seed  steps    {right('best', 7)}  {'git' if wide else ''}", "dim")]]
    for index, group in enumerate(groups):
        for row in group.rows:
            mark, _, state = appearance(row)
            line: Line = [(group.letter + " ", style(index)), (column(row.name, 18) + " ", "")]
            line.append((right("" if row.seed is None else str(row.seed), 5) + "  ", ""))
            line.append((column(progress(row), 9) + " ", ""))
            line.append((right(numbers.figure(row.value(metric)), 7) + "  ", "bold"))
            if wide:
                line.append((column(row.git[:7] + ("*" if row.dirty else ""), 9), "warn" if row.dirty else "dim"))
            lines.append([*line, (mark, state), (f" {row.state.lower()}", "dim")])
    return lines


def notes(comparison: Comparison, rows: Mapping[str, Row], across: int) -> Lines:
    """The verdict in words, reasons why the comparison is unfair, the protocol, and the lineage of the runs."""
    lines: Lines = []
    for sentence in comparison.verdict:
        lines += wrap([("▸ ", "mark"), (sentence, "bold")], across)
    for one in comparison.answers:
        pair = f"{LETTERS[one.group]} and {LETTERS[0]}: " if len(comparison.groups) > 2 else ""
        lines += wrap([("? ", "mark"), (f"{pair}{one.question} ", "bold"), (one.text, ANSWERS[one.verdict])], across)
    for note in comparison.notes:
        lines += wrap([("⚠ ", "warn"), (note.text, "")], across)
    if not comparison.notes:
        lines.append([("✓ ", "ok"), ("nothing speaks against the comparison", "")])
    if comparison.protocol:
        lines += wrap([(comparison.protocol, "dim")], across)
    for shared in comparison.overlaps:
        text = f"{' '.join(shared.models)} share {shared.value:.0%} of their top 10"
        lines.append([(f"{LETTERS[shared.group]} ", style(shared.group)), (text, "")])
    return [*lines, *_lineage(comparison, rows)]


def _lineage(comparison: Comparison, rows: Mapping[str, Row]) -> Lines:
    """Inputs that all runs share first, then the others of each run."""
    lines: Lines = [[("── lineage", "dim")]]
    made = {one.run: one.made_from for one in comparison.lineage}
    everywhere = [maker for own in made.values() for maker in own if maker.shared_with_all]
    shared = dict.fromkeys(f"{maker.stage} {_short(maker.id, rows)}" for maker in everywhere)
    if shared:
        lines.append([("all  ", "dim"), (", ".join(shared), "")])
    for index, group in enumerate(comparison.groups):
        for run in group.runs:
            own = [f"{of.stage} {_short(of.id, rows)}" for of in made.get(run.id, ()) if not of.shared_with_all]
            text = " ◂ ".join([_short(run.id, rows), *reversed(own)])
            lines.append([(f"{LETTERS[index]} ", style(index)), (text, "" if own else "dim")])
    return lines


def _short(run: str, rows: Mapping[str, Row]) -> str:
    """The end of an id, which ``engine`` takes as well."""
    return run[-4:] + ("" if run in rows else " (gone)")
