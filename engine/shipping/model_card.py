"""What a shipped model is, how good it is and what it may be used for: one page of Markdown."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.distill.gain import replaced
from engine.recommend.lineage import made
from engine.report.evaluation import EvaluationTables, block, costs, margins
from engine.report.settings import settings_of
from engine.runs.schema import ARTIFACTS, RunInfo, Summary
from engine.runs.text import clean
from engine.shipping.agreement import Agreement
from engine.stages import (
    BASELINE,
    DISTILLED_MODEL,
    FLOOR,
    LANGUAGE_MODEL,
    METRICS_TABLE,
    PROFILE,
    RANKINGS,
    REFITS,
    TEACHER,
    Artifact,
)
from engine.student.model import SequenceModel

FILE = "model_card.md"


@dataclass(frozen=True)
class Subject:
    """A trained model and where it comes from."""

    name: str  # as evaluations call it: student, distilled, or one of them trained again
    artifact: Artifact
    model: SequenceModel
    runs: dict[str, Path]  # stage -> folder of the run that it was made from
    evaluation: Path | None  # a finished one that ranked with this model

    @property
    def run(self) -> Path:
        """The run that trained it."""
        return self.runs[self.artifact.stage]


def card(subject: Subject, files: Sequence[tuple[str, str]], agreement: Agreement | None, hide_seen: bool) -> str:
    """The page. ``files``: names and what is in them."""
    profile = json.loads(made(subject.runs, PROFILE).read_text(encoding="utf-8"))
    data = clean(profile["name"], 80)
    settings = subject.model.settings
    lines = [
        *("---", "license: other", "tags: [recommendation, sequential-recommendation]", "---", ""),
        f"# {settings.model}, {subject.name}, on {data}",
        "",
        f"A sequential recommender of {subject.model.items:,} items: from the items a user has had, oldest first, of "
        f"which it reads the latest {subject.model.max_length}, to the next ones.",
        *_origin(subject),
        *("", "## Figures", "", *_figures(subject), "", "## Data", "", *_data(subject, profile), "", "## Files", ""),
        *("| file | content |", "| --- | --- |", *(f"| `{name}` | {content} |" for name, content in files), ""),
        f"Items are numbered 1 to {subject.model.items:,}; 0 is padding. An item's score is the inner product of its "
        "vector and the user's.",
        *_checked(agreement, hide_seen),
        *("", "## Settings", "", "```json", json.dumps(asdict(settings)), "```", "", "## Licence", ""),
        *_licence(subject, data),
    ]
    return "\n".join(lines) + "\n"


def _origin(subject: Subject) -> list[str]:
    """What it learned from beside the data."""
    again = "It was trained on training and validation events, for as many epochs as validation rows had chosen."
    return [*([again] if subject.name in REFITS else []), *_distilled_from(subject)]


def _distilled_from(subject: Subject) -> list[str]:
    """What a distilled student was distilled from."""
    if subject.artifact.stage != DISTILLED_MODEL.stage:
        return []
    summary = Summary.read(subject.run)
    if summary is not None and (gain := replaced(summary.facts)) is not None:
        return [f"It is the student before distillation: {gain} (distill.choose=better)."]
    if RANKINGS.stage not in subject.runs:
        return ["It was distilled (DLLM2Rec) from knowledge whose run is no longer there."]
    settings = settings_of(subject.runs[RANKINGS.stage])
    if settings.get("knowledge.files") is not None:
        return ["It was distilled (DLLM2Rec) from rankings of another program."]
    names = ["an LLM recommender" if name == TEACHER else clean(name) for name in settings["knowledge.models"]]
    return [f"It was distilled (DLLM2Rec) from {', '.join(names)}."]


def _figures(subject: Subject) -> list[str]:
    if subject.evaluation is None:
        return ["It was not evaluated on test rows: `engine run evaluate` does that."]
    tables = EvaluationTables.read(subject.evaluation)
    rows = [row for row in tables.main if row["model"] in (FLOOR, tables.best_untrained, BASELINE, subject.name)]
    table = block(rows, ("hr@10", "ndcg@10"), ("mrr",))
    about = [*tables.protocol, *tables.warnings, "", *table, "", *costs(rows)]
    return [
        *("```", *about, margins(tables.main[0]), tables.searched, "```", ""),
        f"One training, evaluated by run {subject.evaluation.name}. Other seeds give other figures.",
    ]


def _data(subject: Subject, profile: dict[str, Any]) -> list[str]:
    info = RunInfo.read(subject.runs[PROFILE.stage])
    counts = ", ".join(f"{profile[key]:,} {key}" for key in ("users", "items", "interactions") if key in profile)
    return [
        f"{clean(profile['name'], 80)}: {counts}; split {clean(profile['split'])}.",
        f"Fingerprint of the data run {info.fingerprint}, of the test targets {clean(profile['targets_hash'])}.",
        f"Trained by run {subject.run.name} (seed {RunInfo.read(subject.run).seed}).",
    ]


def _checked(agreement: Agreement | None, hide_seen: bool) -> list[str]:
    if agreement is None:
        return []
    seen = "Items of the history are never listed." if hide_seen else "Items of the history may be listed again."
    return [
        f"{seen} Over {agreement.rows:,} histories the scores of `model.onnx` in ONNX Runtime differ from those of the "
        f"trained model by at most {agreement.scores:.2g}, the user vectors by {agreement.users:.2g}.",
    ]


def _licence(subject: Subject, data: str) -> list[str]:
    lines = [
        "The program that trained and wrote this model, recdistill, is under Apache-2.0. The weights were learned from "
        f"the data set {data} and hold its item ids and titles: they may be passed on only as its licence allows."
    ]
    if subject.artifact.stage == DISTILLED_MODEL.stage and LANGUAGE_MODEL.stage in subject.runs:
        backbone = settings_of(subject.runs[LANGUAGE_MODEL.stage])
        read = [str(backbone[name]) for name in ("backbone.name", "backbone.text_model") if backbone.get(name)]
        if read:
            lines.append(f"It learned from {' and '.join(read)}, whose licence may govern what learns from it.")
    return lines


def evaluated(folder: Path, model: str) -> bool:
    """Whether the evaluation at ``folder`` ranked test rows with a model of this name."""
    if not (folder / ARTIFACTS / METRICS_TABLE.file).is_file():
        return False
    return any(row["model"] == model for row in EvaluationTables.read(folder).main)
