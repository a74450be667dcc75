"""The models of one evaluation against each other: paired differences with intervals, and where they differ."""

from collections.abc import Sequence

from cockpit.models.result import ALL_ROWS, REFUSED, EvaluationResult, ModelPair, pairs_on_all_rows
from cockpit.panes.result import MARKS
from cockpit.panes.whisker import Scale, whisker
from cockpit.render.lines import Line, Lines, wrap
from cockpit.theme import CURVES
from engine.report import numbers
from engine.report.tables import column, right

STYLES = {"better": "ok", "worse": "bad", "undecided": "warn", REFUSED: "bad"}
ROOMY = 96  # cells from which on intervals stand as numbers beside their drawing
INTERVAL = 18  # cells of -0.0010 to +0.0042


def style(index: int) -> str:
    """The colour of a model."""
    return f"series{index % CURVES}"


def differences(result: EvaluationResult, metrics: Sequence[str], across: int) -> Lines:
    """A line per pair: the difference, its interval around 0, Holm's p, the verdict."""
    lines: Lines = []
    for metric in metrics:
        pairs = pairs_on_all_rows(result.pairs, metric)
        if pairs:
            lines += [*([[]] if lines else []), *_of_metric(result, metric, pairs, across)]
    if not lines:
        return [[("this evaluation ranked one model: there is nothing to compare", "dim")]]
    text = "paired over the test rows, one training of each; Holm's correction for the pairs that have a sentence, "
    text += "and for each other pair by itself (dim)"
    if any(one.verdict == REFUSED for one in result.pairs):
        text += f"; {REFUSED}: the winner ranks below {result.tables.best_untrained}, which needs no training"
    return [*lines, [], *wrap([(text, "dim")], across)]


def _of_metric(result: EvaluationResult, metric: str, pairs: Sequence[ModelPair], across: int) -> Lines:
    name = max(len(f"{one.model} - {one.baseline}") for one in pairs)
    roomy = across >= ROOMY
    fixed = name + 38 + (INTERVAL + 2 if roomy else 0)
    scale = Scale.of([end for one in pairs for end in (one.low, one.high)], max(across - fixed, 10))
    head: Line = [(column(metric, name), "title"), (right("Δ", 9) + right("%", 8) + "  ", "dim"), *scale.ticks()]
    head.append(("  " + column("95 % interval", INTERVAL) if roomy else "", "dim"))
    head.append((right("p Holm", 8) + "  verdict", "dim"))
    lines: Lines = [head]
    for one in pairs:
        main = result.sentenced(one.model, one.baseline)
        percent = "" if one.percent is None else f"{one.percent:+.1f}"
        line: Line = [
            (column(f"{one.model} - {one.baseline}", name), "bold" if main else "dim"),
            (right(f"{one.mean:+.4f}", 9), "" if main else "dim"),
            (right(percent, 8) + "  ", "dim"),
        ]
        line += whisker(scale, one.mean, one.low, one.high, {0.0: "┊"}, STYLES.get(one.verdict, "") if main else "dim")
        if roomy:
            line.append(("  " + column(numbers.interval(one.low, one.high), INTERVAL), "dim"))
        line.append((right(numbers.probability(one.p), 8) + "  ", ""))
        lines.append([*line, (one.verdict, STYLES.get(one.verdict, ""))])
    return lines


def on_slices(result: EvaluationResult, metric: str, across: int) -> Lines:
    """Slices x pairs: the difference on each, marked where it was found to be better or worse."""
    pairs = [(one.model, one.baseline) for one in pairs_on_all_rows(result.pairs, metric)]
    found = {(one.model, one.baseline, one.part): one for one in result.pairs if one.metric == metric}
    parts = list(dict.fromkeys(one.part for one in result.pairs if one.part != ALL_ROWS))
    if not parts or not pairs:
        return [[(f"no slice was tested by {metric}", "dim")]]
    name, cell = max(12, *map(len, parts)), 13
    count = max((across - name - 2) // cell, 1)
    lines: Lines = []
    for start in range(0, len(pairs), count):  # pairs that do not fit follow below
        own = pairs[start : start + count]
        lines += [[]] if lines else []
        lines.append([(column("", name), ""), *((right(_short(model), cell), "dim") for model, _ in own)])
        lines.append([(column(metric + " on", name), "dim"), *((right("- " + _short(b), cell), "dim") for _, b in own)])
        for part in parts:
            line: Line = [(column(part, name), "")]
            for model, baseline in own:
                one = found.get((model, baseline, part))
                sign, mark = MARKS.get(one.verdict if one else "", MARKS[""])
                text = f"{one.mean:+.4f}" if one else numbers.NOTHING
                line += [(right(text, cell - 2) + " ", mark if sign in "▲▼" else "dim"), (sign, mark)]
            lines.append(line)
    return lines


def _short(model: str) -> str:
    return column(model, 10).rstrip()
