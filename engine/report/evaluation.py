"""The result table of an evaluation as plain text of 80 columns: metrics with their protocol and uncertainty.

Reads the CSV files and the configuration of a run; standard library and PyYAML alone.
"""

import csv
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config.settings.evaluate import AUTO
from engine.errors import RunError
from engine.report import searches
from engine.report.numbers import NOTHING, Z, fixed, interval, probability, with_margin
from engine.report.settings import settings_of
from engine.report.tables import align, wrapped
from engine.runs.schema import ARTIFACTS
from engine.runs.text import clean
from engine.stages import BASELINE, COMPARISONS, FLOOR, METRICS_TABLE, MODELS, SLICES_TABLE, TEACHER, Artifact

WORDS = {"popularity": "popularity (floor)", "oracle": "oracle (ceiling)"}
GENERATIVE = ("said_hr@1", "said_hr@1_of_valid", "valid_ratio", "likeliest_hr@1")  # columns of generative evaluation
REPEATED, SEEN_SETTING = "repeated_targets", "hide_seen_setting"  # columns of data whose targets are repeated
TIED = "tied_targets"  # column of data in which the order of the file picks many test targets: a sentence
ABOUT = "about_models"  # column where the name of a model does not say what was ranked: model = what; ...
NEARER = "overlap with teacher"  # metric of a comparison: share of a model's first items that the teacher lists too
SEEDS = "engine sweep seed=1..3"  # trains every model again with other seeds

Row = dict[str, str]


@dataclass(frozen=True)
class EvaluationTables:
    """The tables of a finished evaluation. Test rows: floor first, ceiling last."""

    main: list[Row]  # under the protocol of the settings
    full: list[Row]  # ranked among all items, seen ones treated the other way
    few: list[Row]  # ranked among candidates; empty where there are none
    slices: list[Row]  # of the main protocol
    compared: list[Row]
    searched: str  # how long a search chose the settings of the models

    @classmethod
    def read(cls, folder: Path) -> "EvaluationTables":
        """The tables of the run at ``folder``; RunError where there are none."""
        tested = sorted((row for row in read(folder, METRICS_TABLE) if row["split"] == "test"), key=_order)
        main = [row for row in tested if row["main"] == "true"]
        protocol = main[0]["hide_seen"], main[0]["candidates"]
        return cls(
            main,
            [row for row in tested if row["main"] != "true" and row["candidates"] == "all"],
            [row for row in tested if row["candidates"] != "all"],
            [r for r in read(folder, SLICES_TABLE) if (r["hide_seen"], r["candidates"]) == protocol],
            read(folder, COMPARISONS),
            searches.sentence(searches.sizes(settings_of(folder), [row["model"] for row in main])),
        )

    @property
    def protocol(self) -> list[str]:
        """What was ranked and how, in two lines."""
        head = self.main[0]
        return [
            f"{clean(head['data'])}: {_count(head['users'])} users, {_count(head['items'])} items, "
            f"{_count(head['rows'])} test rows ({clean(head['split_rule'])}), targets {clean(head['targets_hash'])}",
            f"{seen(head)}, ranked among all items, ties share their average rank",
        ]

    @property
    def about(self) -> list[str]:
        """What was ranked under the name of a model, where the name does not say it; a sentence each."""
        return [text for text in clean(self.main[0].get(ABOUT) or "", 2000).split("; ") if text]

    @property
    def warnings(self) -> list[str]:
        """What the protocol has to say about repeated and about tied targets; a sentence each."""
        head = self.main[0]
        return [text for text in (repeats(head), clean(head.get(TIED) or "", 300)) if text]

    @property
    def among(self) -> str:
        """Among how many candidates ``few`` are ranked."""
        count = int(self.few[0]["candidates"])
        return f"ranked among {count} candidates (the target and {count - 1} fixed random negatives)"

    @property
    def generative(self) -> list[str]:
        """A sentence per teacher that names one of the candidates in its prompt."""
        return [_generative(row) for row in self.few if row.get("valid_ratio")]

    @property
    def verdicts(self) -> list[str]:
        """How the models differ on these rows, and how near they are to the teacher: a sentence each."""
        return [*_verdicts(self.compared), *_nearer(self.compared)]


def render(folder: Path) -> str:
    """The table of the finished evaluation at ``folder``."""
    found = EvaluationTables.read(folder)
    lines = [
        *found.protocol,
        *(line for text in (*found.about, *found.warnings) for line in wrapped(text)),
        "",
        *block(found.main, ("hr@10", "ndcg@10"), ("mrr",), costs=True),
        *wrapped(found.searched),
        "",
        f"{seen(found.full[0])}:",
        *block(found.full, ("hr@10", "ndcg@10"), ("mrr",)),
    ]
    if found.few:
        lines += [
            "",
            f"{found.among}:",
            *block(found.few, ("hr@1", "ndcg@10"), ("mrr",)),
            *(line for text in found.generative for line in wrapped(text)),
        ]
    lines += ["", *_slices(found.slices), "", margins(found.main[0])]
    verdicts = found.verdicts
    if verdicts:
        lines += ["", *(line for text in verdicts for line in wrapped(text))]
    return "\n".join(lines)


def _generative(row: Row) -> str:
    """Generative evaluation of a teacher: it names one of the candidates in its prompt."""
    right, valid, ratio, likeliest = (float(row[name]) for name in GENERATIVE)
    return (
        f"{clean(row['model'])} in its own words: hr@1 {right:.4f} ({valid:.4f} of valid answers, "
        f"valid ratio {ratio:.4f}), by the likeliest title {likeliest:.4f}"
    )


def read(folder: Path, artifact: Artifact) -> list[Row]:
    """A table of a finished evaluation. RunError when it is not there."""
    path = folder / ARTIFACTS / artifact.file
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError as error:
        raise RunError(
            f"there is no {artifact.file} ({artifact.help})",
            location=str(path),
            remedy=f"Finish it: engine resume {folder.name}, or make it: engine run evaluate --again",
        ) from error


def block(rows: list[Row], uncertain: Sequence[str], plain: Sequence[str], costs: bool = False) -> list[str]:
    """A line per model under a header: metrics with their margins, metrics without, and costs."""
    header = ["model", *uncertain, *plain, *(["train s", "ms/request"] if costs else [])]
    cells = [
        [
            WORDS.get(row["model"], clean(row["model"])),
            *(with_margin(float(row[name]), *ends(row, name)) for name in uncertain),
            *(fixed(float(row[name])) for name in plain),
            *([_cost(row["train_seconds"], 1), _cost(row["ms_per_request"], 2)] if costs else []),
        ]
        for row in rows
    ]
    return align(header, cells)


def ends(row: Mapping[str, Any], metric: str) -> tuple[float, float]:
    """The 95 % interval of a metric in a row of a table; not numbers where it has none.

    Where the table states none (mrr, whose rows are hardly ever zero; earlier versions): 1.96 standard errors.
    """
    if _has_interval(row, metric):
        return float(row[f"{metric} low"]), float(row[f"{metric} high"])
    value, error = float(row[metric]), float(row.get(f"{metric} se") or math.nan)
    return value - Z * error, value + Z * error


def margins(row: Mapping[str, Any]) -> str:
    """What the ± beside a metric of this table is."""
    if _has_interval(row, "ndcg@10"):
        return "± the farther end of the 95 % interval over rows"
    return f"± {Z} standard errors over rows: 95 % where 30 rows or more hit"


def _has_interval(row: Mapping[str, Any], metric: str) -> bool:
    return row.get(f"{metric} low") not in (None, "")


def _slices(shown: list[Row], metric: str = "ndcg@10") -> list[str]:
    """One line per part of the rows, one column per model."""
    models = list(dict.fromkeys(row["model"] for row in sorted(shown, key=_order)))
    value = {(row["slice"], row["model"]): fixed(float(row[metric])) for row in shown}
    counts = {row["slice"]: row["rows"] for row in shown}
    cells = [
        [name, _count(rows), *(value.get((name, model), NOTHING) for model in models)] for name, rows in counts.items()
    ]
    return align([f"{metric} on", "rows", *models], cells)


def shown(model: str, baseline: str, models: Collection[str]) -> bool:
    """Whether this pair gets a sentence: models against student and teacher, the student against popularity.

    Without a student, popularity is the baseline of every model. Pairs with a sentence are corrected together.
    """
    first = BASELINE if BASELINE in models and model != BASELINE else FLOOR
    return baseline in (first, TEACHER)


def _verdicts(rows: list[Row], metric: str = "ndcg@10") -> Iterator[str]:
    """A sentence per pair: how these models, trained once, rank these rows. It claims nothing about other trainings."""
    found = {(row["model"], row["baseline"], row["slice"]): row for row in rows if row["metric"] == metric}
    known = {name for model, baseline, _ in found for name in (model, baseline)}
    pairs = dict.fromkeys((model, baseline) for model, baseline, _ in found)
    sentences = [_verdict(found, *pair, metric) for pair in pairs if shown(*pair, known)]
    if sentences:
        yield "on these rows, one training of each:"
        yield from sentences
        yield f"Whether another training would agree needs seeds: {SEEDS}"


def _verdict(found: dict[tuple[str, str, str], Row], model: str, baseline: str, metric: str) -> str:
    row = found[model, baseline, "all"]
    parts = {name: one for (m, b, name), one in found.items() if (m, b) == (model, baseline) and name != "all"}
    by = f" ({100 * float(row['relative']):+.1f} %)" if row["relative"] else ""
    claim = {
        "better": f"{model} > {baseline}",
        "worse": f"{model} < {baseline}",
        "undecided": f"{model} and {baseline} cannot be told apart",
    }[row["verdict"]]
    text = (
        f"{claim}: {metric} {float(row['difference']):+.4f}{by}, 95 % interval "
        f"{interval(float(row['low']), float(row['high']))}, Holm's p {probability(float(row['p']))}, "
        f"paired over {_count(row['rows'])} rows."
    )
    for verdict, word in (("better", "Higher"), ("worse", "Lower"), ("undecided", "Undecided")):
        names = [name for name, one in parts.items() if one["verdict"] == verdict]
        text += f" {word} on {', '.join(names)}." if names else ""
    return text


def _nearer(rows: list[Row]) -> Iterator[str]:
    """Overlap of the students' lists with the teacher's, before and after distillation."""
    for row in rows:
        if row["metric"] == NEARER:
            before, points = 100 * float(row["baseline value"]), 100 * float(row["difference"])
            yield (
                f"of their first items {row['baseline']} and teacher share {before:.1f} %, {row['model']} and teacher "
                f"{before + points:.1f} %: {points:+.1f} points, 95 % interval {100 * float(row['low']):+.1f} to "
                f"{100 * float(row['high']):+.1f}, over {_count(row['rows'])} rows."
            )


def _order(row: Row) -> int:
    """Position of a model in the tables: popularity first, oracle last."""
    return len(MODELS) if row["model"] == "oracle" else list(MODELS).index(row["model"])


def seen(row: Row) -> str:
    """How items of a row's own history are treated."""
    return "seen items hidden" if row["hide_seen"] == "true" else "seen items not hidden"


def repeats(row: Mapping[str, Any]) -> str:
    """How many of a row's targets are in their own history, and what ``auto`` chose; "" where none is."""
    if not int(row.get(REPEATED) or 0):
        return ""
    hidden = str(row["hide_seen"]).lower() == "true"
    found = f"{int(row[REPEATED]):,} of {int(row['rows']):,} {row['split']} targets repeat an item of their history"
    if str(row[SEEN_SETTING]) == AUTO:
        found += f"; evaluate.hide_seen=auto {'hides' if hidden else 'does not hide'} seen items"
    return found + (", so these targets count as missed" if hidden else "")


def _count(text: str) -> str:
    return f"{int(text):,}"


def _cost(text: str, digits: int) -> str:
    return fixed(float(text) if text else None, digits)
