"""Trained models that rank the padding, know nothing about users, or hold on one split only."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from engine.doctor.quality import Ranked
from engine.metrics.ranking import score_items
from engine.student.model import load_student, save_student

BEFORE = ("data", "student", "backbone", "teacher", "knowledge")


def test_no_sound_model_ranks_the_padding(case, look):
    found = look(case(*BEFORE, "distill"), "padding-never-ranked")["padding-never-ranked"]
    assert found.verdict == "pass" and "popularity, student, teacher, distilled, oracle" in found.evidence


def test_a_padding_column_that_is_ranked_is_named(case, named, monkeypatch):
    def ranked(users, table, bias=None):
        scores = score_items(users, table, bias)
        scores[:, 0] = scores.amax() + 1
        return scores

    monkeypatch.setattr("engine.evaluate.models.score_items", ranked)
    assert "gives the padding" in named(case(*BEFORE), "padding-never-ranked").evidence


def test_a_teacher_that_knows_nothing_is_named(case, copy, named):
    folder = copy("knowledge")
    path = folder / "artifacts" / "held_out.safetensors"
    answers = load_file(path)
    save_file(
        answers | {"table": -answers["table"], "bias": -answers["bias"]}
        if "bias" in answers
        else answers | {"table": -answers["table"]},
        path,
    )
    assert "popularity" in named(case(*BEFORE, altered={"knowledge": folder}), "teacher-beats-popularity").evidence


def test_a_student_that_knows_nothing_is_named(case, copy, named):
    folder = copy("student")
    path = folder / "artifacts" / "model.safetensors"
    model = load_student(path)
    model.network.inputs().data.neg_()
    model.network.inputs().data[1:] = model.network.inputs().data[1:].flip(0)
    save_student(path, model)
    named(case("data", altered={"student": folder}), "student-beats-popularity")


@pytest.mark.parametrize(("teacher", "verdict"), [(0.2, "pass"), (0.1, "warn"), (0.05, "warn")])
def test_a_teacher_that_has_nothing_to_teach_is_told(case, look, monkeypatch, teacher, verdict):
    draw = np.random.default_rng(0)

    def values(about, model):
        own = draw.normal({"student": 0.1, "teacher": teacher}[model], 0.05, 500)
        return {"validation": Ranked(own, own)}

    monkeypatch.setattr("engine.doctor.quality.values", values)
    found = look(case(*BEFORE), "teacher-beats-student")["teacher-beats-student"]
    assert found.verdict == verdict and "95 % interval" in found.evidence


@pytest.mark.parametrize(("best", "verdict"), [(0.3, "pass"), (0.2, "warn")])
def test_before_it_is_asked_a_teacher_is_judged_by_its_own_evaluations(case, copy, look, best, verdict):
    folder = copy("teacher")
    summary = json.loads((folder / "summary.json").read_text())
    summary["facts"] |= {"validation_student": 0.2, "best": {"val_ndcg@10": best}}
    (folder / "summary.json").write_text(json.dumps(summary))
    about = case("data", "student", "backbone", altered={"teacher": folder})
    found = look(about, "teacher-beats-student")["teacher-beats-student"]
    assert found.verdict == verdict and f"0.2000 → {best:.4f}" in found.evidence


@pytest.mark.parametrize(("test", "verdict"), [(0.19, "pass"), (0.11, "warn"), (0.05, "fail")])
def test_splits_that_do_not_agree_are_told(case, look, monkeypatch, test, verdict):
    def values(about, model):
        draw = np.random.default_rng(0)
        found = {"validation": draw.normal(0.2, 0.05, 500), "test": draw.normal(test, 0.05, 500)}
        return {split: Ranked(own, own) for split, own in found.items()}

    monkeypatch.setattr("engine.doctor.quality.values", values)
    found = look(case(*BEFORE, "distill"), "validation-and-test-agree")["validation-and-test-agree"]
    assert found.verdict == verdict, found
