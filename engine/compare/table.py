"""A comparison for a terminal."""

from collections.abc import Iterator, Sequence

from engine.compare.sentences import CORRECTED
from engine.metrics.statistics import WILCOXON
from engine.report.numbers import NOTHING, interval, mean_sd, probability, setting
from engine.report.tables import align, fitted, wrapped
from engine.runs.text import clean
from engine.wire import ComparedMetric, Comparison, PairAnswer

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def text(comparison: Comparison, every: bool = False) -> str:
    """Groups, settings that differ (``every``: all), metrics, differences, caveats and the verdict."""
    parts = [
        list(_groups(comparison)),
        list(_settings(comparison, every)),
        wrapped(comparison.protocol) if comparison.protocol else [],
        *(_figures(comparison, model) for model in dict.fromkeys(metric.model for metric in comparison.metrics)),
        list(_overlaps(comparison)),
        [line for note in comparison.notes for line in wrapped(f"note: {note.text}")],
        [line for sentence in comparison.verdict for line in wrapped(sentence)],
        [line for one in comparison.answers for line in wrapped(answer(comparison, one))],
    ]
    return clean_text("\n\n".join("\n".join(part) for part in parts if part))


def answer(comparison: Comparison, one: PairAnswer) -> str:
    """A question with its answer; which groups give it where there are more than two."""
    pair = f"{letter(one.group)} and {letter(0)}: " if len(comparison.groups) > 2 else ""
    return f"{pair}{one.question} {one.text}"


def clean_text(text: str) -> str:
    """Cleaned line by line: names come from outside, line breaks do not."""
    return "\n".join(clean(line) for line in text.split("\n"))


def letter(index: int) -> str:
    """A, B, ... Z, then G27, G28 ..."""
    return LETTERS[index] if index < len(LETTERS) else f"G{index + 1}"


def _groups(comparison: Comparison) -> Iterator[str]:
    for index, group in enumerate(comparison.groups):
        seeds = ", ".join(str(run.seed) for run in group.runs)
        stages = ", ".join(dict.fromkeys(run.stage for run in group.runs))
        runs = f"{len(group.runs)} {stages} runs, seeds" if len(group.runs) > 1 else f"1 {stages} run, seed"
        yield f"{letter(index)} = {group.name}  ({runs} {seeds}; {group.label})"


def _settings(comparison: Comparison, every: bool) -> list[str]:
    shown = [row for row in comparison.settings if every or not row.same]
    hidden = len(comparison.settings) - len(shown)
    header = ["setting", *(letter(index) for index in range(len(comparison.groups)))]
    lines = (
        fitted(header, [[row.name, *map(setting, row.values)] for row in shown]) if shown else ["no setting differs"]
    )
    return [*lines, *([f"{hidden} equal settings are not shown (--all shows them)"] if hidden else [])]


def _figures(comparison: Comparison, model: str | None) -> list[str]:
    metrics = [metric for metric in comparison.metrics if metric.model == model and _comparable(metric)]
    header = [model or "training", *(letter(index) for index in range(len(comparison.groups)))]
    lines = fitted(
        header, [[metric.metric, *(mean_sd(one.mean, one.sd) for one in metric.groups)] for metric in metrics]
    )
    rows = [row for metric in metrics for row in _differences(metric)]
    if rows:
        columns = ["", "", "diff", "%", "95 % interval", "p", "over", ""]
        lines += [
            "",
            *align(columns, rows),
            f"p corrected ({_procedure(metrics)}) for every metric and group of {model or 'a training'}",
        ]
    return lines


def _procedure(metrics: Sequence[ComparedMetric]) -> str:
    """``Holm``, with the test over rows where it is not the usual one."""
    made = [one for metric in metrics for one in metric.differences]
    name = CORRECTED[made[0].correction].partition("'")[0]
    return name + ("; over rows Wilcoxon's signed ranks" if any(one.test == WILCOXON for one in made) else "")


def _comparable(metric: ComparedMetric) -> bool:
    """Not the learning rate and the like, which have no direction."""
    return metric.model is not None or metric.goal != ""


def _overlaps(comparison: Comparison) -> Iterator[str]:
    pairs = dict.fromkeys(" and ".join(one.models) for one in comparison.overlaps)
    for pair in pairs:
        shares = [
            f"{letter(one.group)} {100 * one.value:.1f} %"
            for one in comparison.overlaps
            if " and ".join(one.models) == pair
        ]
        yield f"first items that {pair} share: {', '.join(shares)}"


def _differences(metric: ComparedMetric) -> Iterator[list[str]]:
    for one in metric.differences:
        certain = one.low is not None and one.high is not None
        yield [
            metric.metric,
            f"{letter(one.other)}-{letter(one.base)}",
            f"{one.mean:+.4f}",
            f"{one.percent:+.1f}" if one.percent is not None else NOTHING,
            NOTHING if one.low is None or one.high is None else interval(one.low, one.high, ", "),
            probability(one.p_corrected) if certain else NOTHING,
            f"{one.n:,} {one.over}",
            one.verdict,
        ]
