"""Trained models that rank the padding, know nothing about users, or hold on one split only."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from engine.doctor.mixture import Mixtures
from engine.doctor.quality import Ranked
from engine.metrics.ranking import score_items
from engine.student.model import load_student, save_student
from tests.fixtures.doctor import Doctor

BEFORE = ("data", "student", "backbone", "teacher", "knowledge")


def test_no_sound_model_ranks_the_padding(doctor: Doctor) -> None:
    models = ["popularity", "student", "teacher", "distilled", "oracle"]
    every = replace(doctor.settings, evaluate=replace(doctor.settings.evaluate, models=models))
    found = doctor.outcomes(("padding-never-ranked",), *BEFORE, "distill", config=every)["padding-never-ranked"]
    assert found.verdict == "pass" and ", ".join(models) in found.evidence


def test_a_padding_column_that_is_ranked_is_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def ranked(users: Any, table: Any, bias: Any = None) -> Any:
        scores = score_items(users, table, bias)
        scores[:, 0] = scores.amax() + 1
        return scores

    monkeypatch.setattr("engine.evaluate.models.score_items", ranked)
    assert "gives the padding" in doctor.fault("padding-never-ranked", *BEFORE).evidence


def test_a_teacher_that_knows_nothing_is_named(doctor: Doctor) -> None:
    folder = doctor.copy("knowledge")
    path = folder / "artifacts" / "held_out.safetensors"
    answers = load_file(path)
    save_file(
        answers | {"table": -answers["table"], "bias": -answers["bias"]}
        if "bias" in answers
        else answers | {"table": -answers["table"]},
        path,
    )
    assert "popularity" in doctor.fault("teacher-beats-popularity", *BEFORE, altered={"knowledge": folder}).evidence


def test_a_student_that_knows_nothing_is_named(doctor: Doctor) -> None:
    folder = doctor.copy("student")
    path = folder / "artifacts" / "model.safetensors"
    model = load_student(path)
    model.network.inputs().data.neg_()
    model.network.inputs().data[1:] = model.network.inputs().data[1:].flip(0)
    save_student(path, model)
    doctor.fault("student-beats-popularity", "data", altered={"student": folder})


@pytest.mark.parametrize(("student", "verdict"), [(0.06, "warn"), (0.098, "pass"), (0.2, "pass")])
def test_a_model_below_the_best_untrained_one_is_named_and_one_that_cannot_be_told_apart_is_not(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, student: float, verdict: str
) -> None:
    draw = np.random.default_rng(0)
    strengths = {"popularity": 0.01, "transitions": 0.1, "titles": 0.02, "transitions+titles": 0.05}

    def values(about: Any, model: Any) -> Any:
        own = draw.normal((strengths | {"student": student})[model], 0.05, 500)
        return {"validation": Ranked(own, own)}

    monkeypatch.setattr("engine.doctor.quality.values", values)
    models = replace(doctor.settings, evaluate=replace(doctor.settings.evaluate, models=["student"]))
    found = doctor.outcomes(("above-untrained",), *BEFORE, config=models)["above-untrained"]
    assert found.verdict == verdict and found.evidence.startswith("transitions and student: validation ndcg@10 0.")
    assert bool(found.remedy) == (verdict == "warn")


def test_a_student_below_transition_counts_is_named_by_its_own_ranks(doctor: Doctor) -> None:
    folder = doctor.copy("student")
    path = folder / "artifacts" / "model.safetensors"
    model = load_student(path)
    model.network.inputs().data.neg_()
    model.network.inputs().data[1:] = model.network.inputs().data[1:].flip(0)
    save_student(path, model)
    only = replace(doctor.settings, evaluate=replace(doctor.settings.evaluate, models=["student"]))
    found = doctor.outcomes(("above-untrained",), "data", altered={"student": folder}, config=only)["above-untrained"]
    assert found.verdict == "warn" and " and student: " in found.evidence
    assert doctor.outcomes(("above-untrained",), "data", config=only)["above-untrained"].verdict == "skip"


@pytest.mark.parametrize(("teacher", "verdict"), [(0.2, "pass"), (0.1, "warn"), (0.05, "warn")])
def test_a_teacher_that_has_nothing_to_teach_is_told(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, teacher: float, verdict: str
) -> None:
    draw = np.random.default_rng(0)

    def values(about: Any, model: Any) -> Any:
        own = draw.normal({"student": 0.1, "teacher": teacher}[model], 0.05, 500)
        return {"validation": Ranked(own, own)}

    def mixtures(about: Any, count: int) -> Any:
        return Mixtures(draw.normal(teacher, 0.05, (3, 500)), np.arange(500), np.array([0.0, 0.5, 1.0]))

    monkeypatch.setattr("engine.doctor.quality.values", values)
    monkeypatch.setattr("engine.doctor.quality.mixtures", mixtures)
    found = doctor.outcomes(("teacher-beats-student",), *BEFORE)["teacher-beats-student"]
    assert found.verdict == verdict and "95 % interval" in found.evidence and "optimism" in found.evidence
    assert bool(found.cause and found.remedy) is (verdict == "warn")


@pytest.mark.parametrize(
    ("gain", "weights", "verdict", "evidence"),
    [
        (0.05, [0.0, 0.0, 1.0, 2.0], "pass", "without and with the states"),
        (0.01, [0.0, 0.0, 1.0, 2.0], "pass", "without and with the states"),
        (0.003, [0.0, 0.0, 1.0, 2.0], "warn", "of the difference +0.00"),  # surely above 0, not surely 1 %
        (0.0, [0.0, 0.0, 1.0, 2.0], "warn", "95 % interval"),
        (-0.05, [0.0, 0.0, 1.0, 2.0], "warn", "95 % interval"),
        (0.05, [0.0, 0.0, 0.0, 0.0], "warn", "gives the states no weight"),
        (0.05, [1.0, 1.0, 1.0, 2.0], "skip", "holds no 0"),
    ],
)
def test_a_language_model_that_adds_nothing_is_named_with_the_cheaper_setting(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, gain: float, weights: list[float], verdict: str, evidence: str
) -> None:
    draw, lm_weights = np.random.default_rng(3), np.array(weights)
    row = draw.normal(0.3, 0.1, 400)
    ndcg = row + gain * (lm_weights > 0)[:, None] + draw.normal(0, 0.02, (4, 400))
    monkeypatch.setattr("engine.doctor.quality.mixtures", lambda *_: Mixtures(ndcg, np.arange(400), lm_weights))
    found = doctor.outcomes(("language-model-pays",), *BEFORE)["language-model-pays"]
    assert found.verdict == verdict and evidence in found.evidence
    assert ("teacher.rank.states=false" in found.remedy) is (verdict == "warn")


def test_states_that_only_look_useful_on_the_rows_that_chose_their_weight_do_not_pay(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(1)
    ndcg = draw.normal(0.3, 0.2, (41, 300))  # forty weights of pure noise, one mixture without states
    lm_weights = np.array([0.0, *np.linspace(0.1, 4, 40)])
    assert ndcg[1:].mean(axis=1).max() > ndcg[0].mean() + 0.02
    monkeypatch.setattr("engine.doctor.quality.mixtures", lambda *_: Mixtures(ndcg, np.arange(300), lm_weights))
    found = doctor.outcomes(("language-model-pays",), *BEFORE)["language-model-pays"]
    assert found.verdict == "warn" and re.search(
        r"; alone they have 0\.\d{4}, popularity 0\.\d{4}; trained on [1-9][\d,]* tokens$", found.evidence
    )


@pytest.mark.parametrize(("optimism", "verdict"), [(0.001, "pass"), (-0.001, "pass"), (0.2, "warn")])
def test_a_teacher_whose_gamma_was_chosen_on_the_judging_rows_has_to_be_better_than_the_optimism_of_that(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, optimism: float, verdict: str
) -> None:
    def values(about: Any, model: str) -> Any:
        own = np.full(400, {"student": 0.2, "teacher": 0.3}[model]) + np.random.default_rng(0).normal(0, 0.01, 400)
        return {"validation": Ranked(own, own)}

    monkeypatch.setattr("engine.doctor.quality.values", values)
    monkeypatch.setattr("engine.doctor.quality.mixtures", lambda *_: None)  # as of one that generates titles
    monkeypatch.setattr("engine.doctor.quality._facts", lambda folder: {"gamma_optimism": optimism})
    found = doctor.outcomes(("teacher-beats-student",), *BEFORE)["teacher-beats-student"]
    assert (
        found.verdict == verdict and f"optimism of having chosen gamma on these rows, {optimism:+.4f}" in found.evidence
    )


@pytest.mark.parametrize(("best", "verdict"), [(0.3, "skip"), (0.2, "warn")])
def test_before_it_is_asked_a_teacher_that_is_ahead_on_the_rows_that_chose_it_is_not_judged(
    doctor: Doctor, best: float, verdict: str
) -> None:
    folder = doctor.copy("teacher")
    summary = json.loads((folder / "summary.json").read_text())
    summary["facts"] |= {"validation_student": 0.2, "best": {"val_ndcg@10": best}}
    (folder / "summary.json").write_text(json.dumps(summary))
    before = ("data", "student", "backbone")
    outcomes = doctor.outcomes(("teacher-beats-student",), *before, altered={"teacher": folder})
    found = outcomes["teacher-beats-student"]
    evidence = {"skip": "rows that chose its mixture", "warn": "0.2000 → 0.2000"}[verdict]
    assert found.verdict == verdict and evidence in found.evidence


@pytest.mark.parametrize(("test", "verdict"), [(0.19, "pass"), (0.11, "warn"), (0.05, "fail")])
def test_splits_that_do_not_agree_are_told(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, test: float, verdict: str
) -> None:
    def values(about: Any, model: Any) -> Any:
        draw = np.random.default_rng(0)
        found = {"validation": draw.normal(0.2, 0.05, 500), "test": draw.normal(test, 0.05, 500)}
        return {split: Ranked(own, own) for split, own in found.items()}

    monkeypatch.setattr("engine.doctor.quality.values", values)
    found = doctor.outcomes(("validation-and-test-agree",), *BEFORE, "distill")["validation-and-test-agree"]
    assert found.verdict == verdict, found
