"""Evaluations that hid their targets, ranked with dropout or another model, or printed other figures than their own."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from engine.data.sequences import Rows
from engine.metrics.ranking import history_pairs
from engine.stages import METRICS_TABLE, ROW_RANKS, STAGES, STUDENT_MODEL, TEST
from engine.student.model import load_student, save_student
from tests.fixtures.doctor import Doctor
from tests.fixtures.small_runs import Chain

CHECKS = ("ranks-reproducible", "metrics-match-ranks")
EVERY = "evaluate.models=[popularity,student,teacher,distilled,oracle]"
Evaluate = Callable[..., Path]


@pytest.fixture
def evaluate(seven_stages: Path, tmp_path: Path) -> Evaluate:
    """Evaluates the finished models again, with the code as it is at the call; ``altered`` runs replace theirs."""

    def perform(*overrides: str, **altered: Path) -> Path:
        chain = Chain(tmp_path / "evaluated")
        chain.runs.mkdir()
        for stage in STAGES:
            if stage != "evaluate":
                (chain.runs / stage).symlink_to(altered.get(stage, seven_stages / stage), target_is_directory=True)
        return chain.perform("evaluate", overrides=list(overrides))

    return perform


def edited(folder: Path, change: Callable[[dict[str, str]], None]) -> None:
    """The metrics table with every line changed."""
    path = folder / "artifacts" / METRICS_TABLE.file
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        change(line)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(lines[0]))
        table.writeheader()
        table.writerows(lines)


def test_a_sound_evaluation_of_every_model_is_reproduced(doctor: Doctor, evaluate: Evaluate) -> None:
    folder = evaluate(EVERY, "evaluate.candidates=20", "evaluate.candidate_history=5")
    found = doctor.outcomes(CHECKS, *STAGES, altered={"evaluate": folder})
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(CHECKS, "pass"), found
    assert "27 columns" in found["ranks-reproducible"].evidence  # 5 models, 2 splits, 3 protocols; no oracle before


def test_targets_that_are_hidden_as_seen_are_named(
    doctor: Doctor, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_far(histories: Any, block: slice) -> Any:
        return history_pairs((histories[0], histories[1], histories[2] + 1), block)

    monkeypatch.setattr("engine.evaluate.measure.history_pairs", too_far)
    folder = evaluate()
    monkeypatch.setattr("engine.metrics.ranking.history_pairs", too_far)  # the doctor ranks with the same fault
    outcome = doctor.fault("ranks-reproducible", *STAGES, altered={"evaluate": folder})
    assert "60 of 60 targets are hidden, and not in their history" in outcome.evidence
    assert "the target is hidden as seen" in outcome.cause


def test_seen_items_that_are_not_hidden_are_named(
    doctor: Doctor, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.evaluate.measure.history_pairs", lambda histories, block: (torch.zeros(0).long(),) * 2)
    evidence = doctor.fault("ranks-reproducible", *STAGES, altered={"evaluate": evaluate()}).evidence
    assert "all items, seen ones hidden" in evidence and "again" in evidence


def test_repeated_targets_that_are_rightly_hidden_are_none(doctor: Doctor, evaluate: Evaluate) -> None:
    data = doctor.copy("data")
    path = data / "artifacts" / TEST.file
    rows = Rows.load(path)
    items = rows.items.copy()
    items[rows.stop[:20]] = items[rows.start[:20]]
    Rows(items, rows.start, rows.stop, rows.users).save(path)
    altered = {"data": data, "evaluate": evaluate(data=data)}
    found = doctor.outcomes(CHECKS, *STAGES, altered=altered)
    assert {name: outcome.verdict for name, outcome in found.items()} == dict.fromkeys(CHECKS, "pass"), found
    ranks = pq.read_table(altered["evaluate"] / "artifacts" / ROW_RANKS.file)["rank"].to_numpy()
    assert np.isinf(ranks).sum() == 20 * 3  # of each model where seen items are hidden


def test_items_with_the_same_score_are_none(doctor: Doctor, evaluate: Evaluate) -> None:
    student = doctor.copy("student")
    path = student / "artifacts" / STUDENT_MODEL.file
    model = load_student(path)
    with torch.no_grad():
        model.network.inputs()[2::2] = model.network.inputs()[1::2][: len(model.network.inputs()[2::2])]
    save_student(path, model)
    altered = {"student": student, "evaluate": evaluate(student=student)}
    found = doctor.outcomes(CHECKS, *STAGES, altered=altered)
    assert {outcome.verdict for outcome in found.values()} == {"pass"}, found


def test_dropout_while_ranking_is_named(doctor: Doctor, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.evaluate.models.load_student", lambda *given: load_student(*given).train())
    folder = evaluate()
    outcome = doctor.fault("ranks-reproducible", *STAGES, altered={"evaluate": folder})
    assert outcome.cause.startswith("dropout at evaluation")
    monkeypatch.undo()  # the program was mended, the evaluation was not made again
    outcome = doctor.fault("ranks-reproducible", *STAGES, altered={"evaluate": folder})
    assert "student on test rows" in outcome.evidence and "with dropout" in outcome.cause


def test_a_model_that_was_replaced_after_the_evaluation_is_named(doctor: Doctor) -> None:
    student = doctor.copy("student")
    path = student / "artifacts" / STUDENT_MODEL.file
    model = load_student(path)
    with torch.no_grad():
        model.network.inputs()[1:] = model.network.inputs()[1:].flip(0)
    save_student(path, model)
    evidence = doctor.fault("ranks-reproducible", *STAGES, altered={"student": student}).evidence
    assert "student on test rows" in evidence and "teacher" not in evidence


def test_an_evaluation_of_other_rows_is_named(doctor: Doctor) -> None:
    data = doctor.copy("data")
    path = data / "artifacts" / TEST.file
    rows = Rows.load(path)
    rows.some(np.arange(len(rows))[::-1].copy()).save(path)
    outcome = doctor.fault("ranks-reproducible", *STAGES, altered={"data": data})
    assert "other users or targets" in outcome.evidence and "prepared again" in outcome.cause


def test_metrics_of_another_formula_are_named(doctor: Doctor) -> None:
    folder = doctor.copy("evaluate")
    edited(folder, lambda line: line.update({"ndcg@10": str(float(line["ndcg@10"]) * 1.01)}))
    evidence = doctor.fault("metrics-match-ranks", *STAGES, altered={"evaluate": folder}).evidence
    assert "ndcg@10 is" in evidence and "hr@10" not in evidence


def test_metrics_without_ranks_and_of_fewer_rows_are_named(doctor: Doctor) -> None:
    folder = doctor.copy("evaluate")
    path = folder / "artifacts" / ROW_RANKS.file
    table = pq.read_table(path)
    last = pc.and_(pc.equal(table["model"], "student"), pc.equal(table["row"], 59))
    kept = pc.and_(pc.not_equal(table["model"], "teacher"), pc.invert(last))
    pq.write_table(table.filter(kept), path)
    evidence = doctor.fault("metrics-match-ranks", *STAGES, altered={"evaluate": folder}).evidence
    assert "teacher on test rows has metrics and no ranks" in evidence and "60 rows and 59 ranks" in evidence


def test_without_a_finished_evaluation_nothing_is_compared(doctor: Doctor) -> None:
    found = doctor.outcomes(CHECKS, "data", "student")
    assert {outcome.verdict for outcome in found.values()} == {"skip"}
