"""The result of an evaluation as text: models with their intervals, slices, verdict, protocols, lineage."""

from collections.abc import Mapping, Sequence

from cockpit.models.result import ALL_ROWS, METRICS, EvaluationResult, ModelFigure, number
from cockpit.models.rows import Row
from cockpit.panes.run_table import appearance
from cockpit.panes.whisker import Scale, whisker
from cockpit.render.heat import SHADES
from cockpit.render.lines import Line, Lines, wrap
from engine.report import numbers
from engine.report.evaluation import PARTS, TARGETS, block, candidates, costs, costs_of, seen
from engine.report.evaluation import Row as TableRow
from engine.report.tables import align, column, right
from engine.stages import FLOOR, UNTRAINED

NARROW, ROOMY = 98, 138  # cells below which more metrics are drawn; from which tables have drawings
MOST = 6  # models with a column in the slices
FIGURE = 14  # cells of 0.1234 ±0.0056
MARKS = {"better": ("▲", "ok"), "worse": ("▼", "bad"), "undecided": ("·", "dim"), "": (" ", "")}
MAIN = ("ndcg@10", "hr@10")


def models(result: EvaluationResult, metric: str, across: int) -> Lines:
    """Models x metrics with costs, and the 95 % intervals drawn beside floor and ceiling."""
    rule = (*result.tables.protocol, *result.tables.about)
    head: Lines = [part for text in rule for part in wrap([(text, "dim")], across)]
    head += [part for text in result.tables.warnings for part in wrap([("⚠ ", "warn"), (text, "")], across)]
    notes: Lines = [[(TARGETS, "dim")], *wrap([(result.tables.searched, "dim")], across)]
    lines = [*head, [], *_table(result, metric, across)]
    if across >= ROOMY:
        return [*lines, *notes]
    lines += [[], *_drawn(result.figures(metric), metric, across), [], *notes]  # a small screen ends soon
    for name in METRICS if across < NARROW else ():
        lines += [] if name == metric else [[], *_drawn(result.figures(name), name, across)]
    return lines


def _coloured(lines: Sequence[str], result: EvaluationResult) -> Lines:
    """A table of the engine, its header and the references dim."""
    styles = ["dim", *("dim" if one.reference else "" for one in result.figures(MAIN[0]))]
    return [[(text, style)] for text, style in zip(lines, styles, strict=True)]


def _references(figures: Sequence[ModelFigure]) -> dict[float, str]:
    return {one.value: "┊" for one in figures if one.reference}


def _scale(figures: Sequence[ModelFigure], size: int) -> Scale:
    return Scale.of([end for one in figures for end in (one.low, one.high, one.value)], size)


def _style(one: ModelFigure) -> str:
    return "dim" if one.reference else "ok"


def _drawn(figures: Sequence[ModelFigure], metric: str, across: int) -> Lines:
    """One metric: a line per model with its interval, on one scale."""
    size = max(len(one.label) for one in figures)
    scale, marks = _scale(figures, across - size - 2), _references(figures)
    lines: Lines = [[(column(metric, size) + "  ", "title"), *scale.ticks()]]
    for one in figures:
        name: Line = [(column(one.label, size) + "  ", "dim" if one.reference else "")]
        lines.append([*name, *whisker(scale, one.value, one.low, one.high, marks, _style(one))])
    return lines


def _table(result: EvaluationResult, metric: str, across: int) -> Lines:
    """The table, the chosen metric first; where there is room, with the intervals of two metrics in their cells."""
    chosen = [metric, *(name for name in MAIN if name != metric)][:2]
    name = max(len(one.label) for one in result.figures(metric))
    plain = _plain(result, across - name - 2 * (FIGURE + 2), chosen)
    free = across - name - sum(size + 2 for _, size, _, _ in plain)
    drawn = free // 2 - FIGURE - 4 if across >= ROOMY else 0
    figures = result.figures(metric)
    lines: Lines = [[(column("model", name), "dim")], [(column("rows", name), "dim")]]
    lines += [[(column(one.label, name), "dim" if one.reference else "")] for one in figures]
    for one in chosen:
        figures = result.figures(one)
        scale, marks = _scale(figures, max(drawn, 1)), _references(figures)
        lines[0] += [("  " + right(one, FIGURE), "title"), *([("  ", ""), *scale.ticks()] if drawn else [])]
        rows = numbers.count(float(result.tables.main[0]["rows"]))
        lines[1].append(("  " + right(rows, FIGURE) + " " * (drawn + 2 if drawn else 0), "dim"))
        for line, figure in zip(lines[2:], figures, strict=True):
            text = numbers.with_margin(figure.value, figure.low, figure.high)
            line.append(("  " + right(text, FIGURE), "dim" if figure.reference else "bold"))
            if drawn:
                own = whisker(scale, figure.value, figure.low, figure.high, marks, _style(figure))
                line += [("  ", ""), *own]
    for title, size, count, cells in plain:
        for line, text in zip(lines, [title, count, *cells], strict=True):
            line.append(("  " + right(text, size), "dim"))
    return lines


def _plain(result: EvaluationResult, free: int, chosen: Sequence[str]) -> list[tuple[str, int, str, list[str]]]:
    """The columns without intervals that fit into ``free`` cells: title, size, number of rows, a cell per model."""
    parts = [
        (name, result.rows_of(name), [result.on_parts(model)[name] for model in result.models], 4) for name in PARTS
    ]
    others = [name for name in ("ndcg@10", "hr@10", "mrr") if name not in chosen]
    costs = [
        *((title, *column) for title, column in costs_of(result.tables.main).items()),
        *((name, name, 4) for name in others),
    ]
    listed = [
        *((title, count, [numbers.fixed(value, digits) for value in own]) for title, count, own, digits in parts),
        *((title, "", [_fixed(row, key, digits) for row in result.tables.main]) for title, key, digits in costs),
    ]
    found: list[tuple[str, int, str, list[str]]] = []
    for title, count, cells in listed:
        size = max(map(len, (title, count, *cells)))
        free -= size + 2
        if free < 0:
            break
        found.append((title, size, count, cells))
    return found


def _fixed(row: TableRow, key: str, digits: int) -> str:
    return numbers.fixed(float(row[key]) if row.get(key) else None, digits)


def slices(result: EvaluationResult, metric: str, across: int) -> Lines:
    """Slices x models: the darker, the higher; ▲ ▼ mark what the evaluation found against the baseline."""
    known = result.slices
    if not known:
        return [[("this evaluation has no slices", "dim")]]
    names = result.models
    if len(names) > MOST:  # untrained models that are neither the floor nor the best one have no column
        names = [m for m in names if m not in UNTRAINED or m in (FLOOR, result.tables.best_untrained)]
    values = {(part, m): number(row, metric) for part, own in known.items() for m, row in own.items()}
    top = max((value for (_, model), value in values.items() if model in _trained(result)), default=0.0) or 1.0
    name = max(12, *(len(part) for part in known))
    count = max(4, *(len(numbers.count(float(row["rows"]))) for own in known.values() for row in own.values()))
    cell = min(max((across - name - count - 3) // max(len(names), 1), 9), 16)
    head = column(metric + " on", name) + right("rows", count + 1) + "  "
    lines: Lines = [[(head, "dim"), *((right(model, cell - 1) + " ", "dim") for model in names)]]
    for part, own in known.items():
        rows = next(iter(own.values()))["rows"]
        line: Line = [(column(part, name), ""), (right(numbers.count(float(rows)), count + 1) + "  ", "dim")]
        for model in names:
            line += _heat(values.get((part, model)), top, result.verdict(model, metric, part), cell)
        lines.append(line)
    return [*lines, *_legend(result, metric, across)]


def _trained(result: EvaluationResult) -> list[str]:
    return [one.model for one in result.figures(MAIN[0]) if not one.reference] or result.models


def _heat(value: float | None, top: float, verdict: str, cell: int) -> Line:
    if value is None or value != value:
        return [(right(numbers.NOTHING, cell - 1) + " ", "dim")]
    level = SHADES[min(max(round(value / top * 4), 0), 4)]
    sign, style = MARKS.get(verdict, MARKS[""])
    shade = level * max(cell - 9, 1)
    return [(" " + shade, "ok"), (right(numbers.fixed(value), cell - len(shade) - 2), ""), (sign, style)]


def _legend(result: EvaluationResult, metric: str, across: int) -> Lines:
    shown = {one.part for one in result.pairs if one.metric == metric and one.part != ALL_ROWS}
    if not shown:
        return [[], [(f"no tests of {metric} on slices", "dim")]]
    text: Line = [("▲", "ok"), (" better, ", "dim"), ("▼", "bad"), (" worse, ", "dim"), ("· undecided", "dim")]
    text.append((": than the student, and the student than popularity; 95 %, Holm's correction for the slices", "dim"))
    return [[], *wrap(text, across)]


def verdict(result: EvaluationResult, across: int) -> Lines:
    """The engine's sentences."""
    lines: Lines = []
    for sentence in result.tables.verdicts:
        heading = sentence.endswith(":")
        lines += wrap([("" if heading else "▸ ", "mark"), (sentence, "title" if heading else "")], across)
    return lines or [[("one model: there is nothing to compare", "dim")]]


def protocols(result: EvaluationResult, across: int) -> Lines:
    """The other rankings of the same rows: seen items the other way, candidates, answers in words."""
    tables = result.tables
    lines: Lines = [part for text in (*tables.protocol, *tables.about) for part in wrap([(text, "")], across)]
    lines += [part for text in tables.warnings for part in wrap([("⚠ ", "warn"), (text, "")], across)]
    full = ("hr@10", "ndcg@10"), ("mrr",)
    for title, table in (
        (f"{seen(tables.main[0])} (main)", block(tables.main, *full)),
        (seen(tables.full[0]) if tables.full else "", block(tables.full, *full)),
        (tables.among if tables.few else "", candidates(tables.few)),
    ):
        if title:
            lines += [[], *wrap([(title, "title")], across), *_coloured(table, result)]
    lines += wrap([(tables.all_draws, "dim")], across) if tables.all_draws else []
    lines += [part for text in tables.generative for part in wrap([(text, "")], across)]
    if not tables.few:
        lines += [[], [("no ranking among candidates", "dim")]]
    return [*lines, [], *_coloured(costs(tables.main), result), [], *_lists(tables.main, result)]


def _lists(rows: Sequence[TableRow], result: EvaluationResult) -> Lines:
    """What the lists of the models are like."""
    names = [name for name in ("coverage@10", "popularity@10", "ties") if any(row.get(name) for row in rows)]
    cells = [
        [row["model"], *(numbers.fixed(float(row[name]) if row.get(name) else None) for name in names)] for row in rows
    ]
    return _coloured(align(["lists", *names], cells), result) if names else []


def made_from(
    row: Row,
    makers: Sequence[str],
    rows: Mapping[str, Row],
    changed: Mapping[str, dict[str, list[object]] | None],
    across: int,
) -> Lines:
    """The runs behind the result, nearest first, each with its settings that are no defaults."""
    lines: Lines = []
    for run in makers:
        found = rows.get(run)
        if found is None:
            lines.append([("? ", "warn"), (run, ""), ("  gone", "warn")])
            continue
        mark, word, style = appearance(found)
        seconds = found.facts.get("train_seconds")
        cost = f"  trained {numbers.duration(seconds)}" if isinstance(seconds, (int, float)) else ""
        kept = f"  {found.metric} {numbers.figure(found.score)} kept" if found.metric and found.id != row.id else ""
        line: Line = [(mark + " ", style), (column(found.stage, 10), "bold"), (found.name, "")]
        line.append((f"  seed {found.seed}  {numbers.duration(found.wall)}{cost}{kept}", "dim"))
        lines.append(line if found.state == "DONE" else [*line, (f"  {word.lower()}", style)])
        lines += _changed(changed, run)
    return [part for line in lines for part in wrap(line, across, indent=6)]


def _changed(changed: Mapping[str, dict[str, list[object]] | None], run: str) -> Lines:
    if run not in changed:
        return [[("    reading settings", "dim")]]
    own = changed[run]
    if own is None:
        return [[("    its settings cannot be read", "warn")]]
    if not own:
        return [[("    every setting is its default", "dim")]]
    return [
        [(f"    {name}  ", ""), (numbers.setting(pair[0]), "bold"), (f"  default {numbers.setting(pair[1])}", "dim")]
        for name, pair in own.items()
        if len(pair) == 2
    ]
