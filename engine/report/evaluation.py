"""The result table of an evaluation as plain text of 80 columns: metrics with their protocol and uncertainty.

Reads the CSV files and the configuration of a run; standard library and PyYAML alone.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config.settings.evaluate import AUTO
from engine.errors import RunError
from engine.report import searches, verdicts
from engine.report.numbers import NOTHING, Z, fixed, with_margin
from engine.report.settings import settings_of
from engine.report.tables import align, fitted, wrapped
from engine.runs.schema import ARTIFACTS
from engine.runs.text import clean
from engine.stages import (
    CEILING,
    COMPARISONS,
    FLOOR,
    GPU_TIME,
    METRICS_TABLE,
    MODELS,
    PROCESSOR_TIME,
    REFERENCES,
    SLICES_TABLE,
    TRAIN_TOKENS,
    UNTRAINED,
    Artifact,
)

WORDS = {name: f"{name} (untrained)" for name in REFERENCES} | {
    FLOOR: "popularity (floor)",
    CEILING: "oracle (ceiling)",
}
PARTS = ("tail", "cold")  # slices with a column of their own in the main table
GENERATIVE = ("said_hr@1", "said_hr@1_of_valid", "valid_ratio", "likeliest_hr@1")  # columns of generative evaluation
TARGETS = "tail, cold: ndcg@10 where the target is a rare item, or one never trained on"
ALL_DRAWS = "expected_hr@1"  # column of a ranking among candidates: the mean of hr@1 over all draws of the negatives
REPEATED, SEEN_SETTING = "repeated_targets", "hide_seen_setting"  # columns of data whose targets are repeated
TIED = "tied_targets"  # column of data in which the order of the file picks many test targets: a sentence
ABOUT = "about_models"  # column where the name of a model does not say what was ranked: model = what; ...
COSTS = {  # title -> column and digits
    "train s": ("train_seconds", 1),
    "tokens": (TRAIN_TOKENS, 0),
    "ms/request": (PROCESSOR_TIME, 2),
    "on GPU": (GPU_TIME, 2),
}

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
    best_untrained: str  # the best model that needs no training, by validation rows; "" where none was ranked

    @classmethod
    def read(cls, folder: Path) -> "EvaluationTables":
        """The tables of the run at ``folder``; RunError where there are none."""
        metrics = read(folder, METRICS_TABLE)
        tested = sorted((row for row in metrics if row["split"] == "test"), key=_order)
        main = [row for row in tested if row["main"] == "true"]
        protocol = main[0]["hide_seen"], main[0]["candidates"]
        return cls(
            main,
            [row for row in tested if row["main"] != "true" and row["candidates"] == "all"],
            [row for row in tested if row["candidates"] != "all"],
            [r for r in read(folder, SLICES_TABLE) if (r["hide_seen"], r["candidates"]) == protocol],
            read(folder, COMPARISONS),
            searches.sentence(searches.sizes(settings_of(folder), [row["model"] for row in main])),
            best_untrained(metrics),
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
    def all_draws(self) -> str:
        """What ``candidates`` calls all draws; "" in evaluations of earlier versions."""
        text = "all draws: mean of hr@1 over all draws of the negatives, not one of them"
        return text if _has_all_draws(self.few) else ""

    @property
    def generative(self) -> list[str]:
        """A sentence per teacher that names one of the candidates in its prompt."""
        return [_generative(row) for row in self.few if row.get("valid_ratio")]

    @property
    def verdicts(self) -> list[str]:
        """How the models differ on these rows, and how near they are to the teacher: a sentence each."""
        return list(verdicts.sentences(self.compared, self.best_untrained))

    def part(self, name: str) -> dict[str, Row]:
        """Model -> its metrics on a slice of the test rows; empty where no test row is in it."""
        return {row["model"]: row for row in self.slices if row["slice"] == name}


def render(folder: Path) -> str:
    """The table of the finished evaluation at ``folder``."""
    found = EvaluationTables.read(folder)
    lines = [
        *found.protocol,
        *(line for text in (*found.about, *found.warnings) for line in wrapped(text)),
        "",
        *quality(found),
        "",
        *costs(found.main),
        *wrapped(found.searched),
        "",
        f"{seen(found.full[0])}:",
        *block(found.full, ("hr@10", "ndcg@10"), ("mrr",)),
    ]
    if found.few:
        lines += [
            "",
            f"{found.among}:",
            *candidates(found.few),
            *wrapped(found.all_draws),
            *(line for text in found.generative for line in wrapped(text)),
        ]
    lines += ["", *_slices(found.slices), "", margins(found.main[0])]
    sentences = found.verdicts
    if sentences:
        lines += ["", *(line for text in sentences for line in wrapped(text))]
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


def quality(found: EvaluationTables) -> list[str]:
    """The main table: a line per model with its metrics on all rows, and NDCG@10 on those of tail and cold items."""
    uncertain, parts = ("hr@10", "ndcg@10"), [found.part(name) for name in PARTS]
    counts = [next((_count(row["rows"]) for row in part.values()), "0") for part in parts]
    cells = [["rows", *[_count(found.main[0]["rows"])] * len(uncertain), *counts]]
    for row, line in zip(found.main, _cells(found.main, uncertain), strict=True):
        own = [fixed(float(part[row["model"]]["ndcg@10"])) if row["model"] in part else NOTHING for part in parts]
        cells.append([*line, *own])
    return [*align(["model", *uncertain, *PARTS], cells), TARGETS]


def costs(rows: list[Row]) -> list[str]:
    """A line per model: the reciprocal rank, and what the model costs."""
    shown = costs_of(rows)
    cells = [
        [*line, *(_cost(row[name], digits) for name, digits in shown.values())]
        for row, line in zip(rows, _cells(rows, (), ("mrr",)), strict=True)
    ]
    return align(["model", "mrr", *shown], cells)


def costs_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, int]]:
    """Title -> column and digits of the costs that a table shows; tokens and time on a GPU where any model has them."""
    known = {name for name in (TRAIN_TOKENS, GPU_TIME) if any(row.get(name) for row in rows)}
    always = {name for name, _ in COSTS.values()} - {TRAIN_TOKENS, GPU_TIME}
    return {title: column for title, column in COSTS.items() if column[0] in known | always}


def candidates(rows: list[Row]) -> list[str]:
    """A line per model as it ranks candidates; with the mean over all draws where the evaluation has it."""
    if not _has_all_draws(rows):
        return block(rows, ("hr@1", "ndcg@10"), ("mrr",))
    return align(["model", "hr@1", "all draws", "ndcg@10"], _cells(rows, ("hr@1", ALL_DRAWS), ("ndcg@10",)))


def _has_all_draws(rows: list[Row]) -> bool:
    return any(row.get(ALL_DRAWS) for row in rows)


def block(rows: list[Row], uncertain: Sequence[str], plain: Sequence[str]) -> list[str]:
    """A line per model under a header: metrics with their margins, and metrics without."""
    return align(["model", *uncertain, *plain], _cells(rows, uncertain, plain))


def _cells(rows: list[Row], uncertain: Sequence[str], plain: Sequence[str] = ()) -> list[list[str]]:
    return [
        [
            label(row["model"]),
            *(with_margin(float(row[name]), *ends(row, name)) for name in uncertain),
            *(fixed(float(row[name])) for name in plain),
        ]
        for row in rows
    ]


def label(model: str) -> str:
    """A model as tables call it: what is not trained says so."""
    return WORDS.get(model, clean(model))


def best_untrained(rows: Sequence[Mapping[str, Any]]) -> str:
    """The untrained model with the highest NDCG@10 on validation rows under the main protocol, of a metrics table.

    On test rows where there are no validation rows; "" where no untrained model was ranked.
    """
    main = [row for row in rows if str(row["main"]).lower() == "true" and row["model"] in UNTRAINED]
    chosen = [row for row in main if row["split"] == "validation"] or main
    return max(chosen, key=lambda row: float(row["ndcg@10"]))["model"] if chosen else ""


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
    return fitted([f"{metric} on", "rows", *models], cells)


def _order(row: Row) -> int:
    """Position of a model in the tables: popularity first, oracle last."""
    return len(MODELS) if row["model"] == CEILING else list(MODELS).index(row["model"])


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
