"""Writes a trained student as files for other programs, checked before they appear."""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config.settings.evaluate import AUTO
from engine.data.catalogue import column, titles
from engine.data.ids import PADDING
from engine.data.repeated_targets import hides_seen, validation_share
from engine.data.sequences import Sequences
from engine.errors import RunError
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.recommend.lineage import lineage, made
from engine.runs.files import refused
from engine.runs.schema import ARTIFACTS
from engine.shipping import agreement, model_card, onnx_file, vectors
from engine.shipping.model_card import Subject
from engine.shipping.ranking_graph import RankingGraph
from engine.stages import (
    BASELINE,
    EXPORTED,
    ITEMS,
    METRICS_TABLE,
    MODELS,
    PROFILE,
    REFITS,
    SEQUENCES,
    VALIDATION,
    Artifact,
    makes,
)
from engine.student.model import load_student

ONNX, SAFETENSORS, NPY = "onnx", "safetensors", "npy"
FORMATS = (ONNX, SAFETENSORS, NPY)
CATALOGUE = "items.jsonl"


@dataclass(frozen=True)
class Exported:
    """What was written."""

    subject: Subject
    files: list[str]
    agreement: agreement.Agreement | None  # of the ONNX file with the trained model


def subject_of(store: Store, entry: Entry, name: str | None) -> Subject:
    """The trained model that a run was made from: the distilled one where there is one, or the one called ``name``."""
    runs = lineage(entry.folder)
    known = [one for one in EXPORTED if MODELS[one].stage in runs]
    chosen = name or (known[0] if known else BASELINE)
    artifact = MODELS[chosen]
    if chosen in REFITS and artifact.stage in runs and not _there(runs[artifact.stage], artifact):
        raise RunError(
            f"{runs[artifact.stage].name} trained no {chosen}",
            location="--model",
            remedy=f"Train one: engine run {artifact.stage} student.refit=true, with the settings of this run.",
        )
    model, trained = load_student(made(runs, artifact)), runs[artifact.stage].name
    candidates = [entry, *reversed(store.scan())]
    evaluations = [
        one.folder
        for one in candidates
        if makes(one.info.stage, METRICS_TABLE)
        and one.state is State.DONE
        and one.info.inputs.get(artifact.stage) == trained
        and model_card.evaluated(one.folder, chosen)
    ]
    return Subject(chosen, artifact, model, runs, evaluations[0] if evaluations else None)


def _there(run: Path, artifact: Artifact) -> bool:
    return (run / ARTIFACTS / artifact.file).exists()


def export(subject: Subject, to: Path, formats: Sequence[str], count: int, hide_seen: bool | None) -> Exported:
    """Writes the files into ``to``, all of them or none. ``hide_seen`` None: as suits the data.

    RunError where the disk refuses, or where the ONNX file would not rank as the model does.
    """
    if hide_seen is None:
        profile = json.loads(made(subject.runs, PROFILE).read_text(encoding="utf-8"))
        hide_seen = hides_seen(AUTO, validation_share(profile, made(subject.runs, VALIDATION)))
    try:
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to, prefix=".export-") as scratch:
            found = _write(subject, Path(scratch), formats, count, hide_seen)
            for path in Path(scratch).iterdir():
                os.replace(path, to / path.name)
    except OSError as error:
        raise refused(error, to, "choose another folder") from error
    return found


def _write(subject: Subject, folder: Path, formats: Sequence[str], count: int, hide_seen: bool) -> Exported:
    files, found = [], None
    if ONNX in formats:
        path = folder / onnx_file.FILE
        graph = RankingGraph(subject.model, count, hide_seen).eval()
        onnx_file.write(path, graph)
        histories = agreement.some_histories(Sequences.load(made(subject.runs, SEQUENCES)))
        found = agreement.compare(onnx_file.read(path), subject.model, histories, hide_seen)
        agreement.require(found, onnx_file.FILE)
        files.append(
            (
                onnx_file.FILE,
                "`history` int64 [batch, length], 0 is padding, to `items` and `scores` "
                f"[batch, {graph.count}], best first (0: no item left), and `user_vectors` [batch, width]",
            )
        )
    if SAFETENSORS in formats or NPY in formats:
        shutil.copyfile(made(subject.runs, subject.artifact), folder / vectors.MODEL)
        files.append((vectors.MODEL, "weights, settings in the header: `engine.shipping.vectors.UserVectors(DIR)`"))
    if SAFETENSORS in formats:
        files += [
            (name, "`ids` [items], `vectors` [items, width]")
            for name in vectors.write_safetensors(folder, subject.model)
        ]
    if NPY in formats:
        files += [(name, "a row per item") for name in vectors.write_npy(folder, subject.model)]
    _write_catalogue(subject, folder / CATALOGUE)
    files.append((CATALOGUE, "item id, raw id and title, a line per item"))
    page = model_card.card(subject, files, found, hide_seen)
    (folder / model_card.FILE).write_text(page, encoding="utf-8")
    return Exported(subject, sorted(path.name for path in folder.iterdir()), found)


def _write_catalogue(subject: Subject, path: Path) -> None:
    """item, raw and title of every item, a line of JSON each."""
    source = made(subject.runs, ITEMS)
    raw, names = column(source, "raw"), titles(source)[PADDING + 1 :]
    if len(names) != subject.model.items:
        raise RunError(
            f"the model has {subject.model.items:,} items, the catalogue {len(names):,}",
            location=str(source),
            remedy=f"Train it again: engine run {subject.artifact.stage} --again",
        )
    with path.open("w", encoding="utf-8") as file:
        for item, (own, title) in enumerate(zip(raw, names, strict=True), start=PADDING + 1):
            file.write(json.dumps({"item": item, "raw": own, "title": title}, ensure_ascii=False) + "\n")
