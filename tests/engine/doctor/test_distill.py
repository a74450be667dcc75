"""A student that is taught by other rows' answers, is not taught at all, or is worse for it."""

import json
import shutil
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.data.sequences import Rows, Sequences
from engine.distill import losses
from engine.distill.gain import Gain
from engine.distill.teacher_targets import TeacherTargets
from engine.doctor.quality import Ranked
from engine.runs.schema import SUMMARY, Summary
from engine.stages import SEQUENCES, TEST, VALIDATION, Artifact
from tests.fixtures.doctor import Doctor

BEFORE = ("data", "student", "backbone", "teacher", "knowledge")


def test_a_sound_student_is_taught_by_its_own_rows_and_becomes_another_model(doctor: Doctor) -> None:
    found = doctor.outcomes(
        ("targets-match-positions", "distilled-differs"),
        *BEFORE,
        "distill",
    )
    assert [outcome.verdict for outcome in found.values()] == ["pass", "pass"], found


def test_answers_shifted_by_one_row_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = TeacherTargets.__init__

    def shifted(self: Any, *given: Any) -> Any:
        sound(self, *given)
        self.items = self.items.roll(1, dims=0)

    monkeypatch.setattr(TeacherTargets, "__init__", shifted)
    assert "that of another event" in doctor.fault("targets-match-positions", *BEFORE).evidence


def test_answers_about_other_histories_ends_are_named(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = replace(doctor.settings, distill=replace(doctor.settings.distill, last_position=1.0))
    found = doctor.outcomes(("targets-match-positions",), *BEFORE, config=taught)["targets-match-positions"]
    assert found.verdict == "pass", found
    sound = TeacherTargets.after
    monkeypatch.setattr(TeacherTargets, "after", lambda self, batch: sound(self, batch).clamp(max=1))
    evidence = doctor.fault("targets-match-positions", *BEFORE, config=taught).evidence
    assert "that of another event" in evidence


@pytest.mark.parametrize("power", [0.0, 0.05, 1.0])
def test_sound_propensities_of_any_power_pass(doctor: Doctor, power: float) -> None:
    distill = doctor.settings.distill
    robust = replace(doctor.settings, distill=replace(distill, dro=replace(distill.dro, alpha=0.3, power=power)))
    found = doctor.outcomes(["propensities-from-training"], *BEFORE, config=robust)["propensities-from-training"]
    assert found.verdict == "pass" and f"power {power:g}" in found.evidence


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ([TEST], "targets of test rows are counted too"),
        ([VALIDATION, TEST], "targets of validation and test rows are counted too"),
        ([], "first events, which are never targets, are counted too"),
    ],
)
def test_propensities_that_count_other_events_are_named(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, splits: list[Artifact], words: str
) -> None:
    data, sound = doctor.finished["data"] / "artifacts", losses.propensities

    def counted(counts: Any, power: float) -> Any:
        if not splits:
            counts = torch.from_numpy(np.bincount(Sequences.load(data / SEQUENCES.file).items, minlength=81))
        for artifact in splits:
            targets = Rows.load(data / artifact.file).targets
            counts = counts + torch.from_numpy(np.bincount(targets, minlength=len(counts)))
        return sound(counts, power)

    monkeypatch.setattr(losses, "propensities", counted)
    assert words in doctor.fault("propensities-from-training", *BEFORE).evidence


def test_a_taught_student_that_is_the_baseline_is_named(doctor: Doctor) -> None:
    folder = doctor.copy("distill")
    shutil.copy2(
        doctor.finished["student"] / "artifacts" / "model.safetensors", folder / "artifacts" / "model.safetensors"
    )
    assert doctor.fault("distilled-differs", *BEFORE, altered={"distill": folder}).evidence.startswith("0.0%")


@pytest.mark.parametrize(("taught", "verdict"), [(0.02, "warn"), (0.2, "pass")])
def test_a_student_that_teaching_made_worse_is_told(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, taught: float, verdict: str
) -> None:
    draw = np.random.default_rng(0)
    ndcg = {"student": 0.1, "distilled": taught}

    def values(about: Any, model: Any) -> Any:
        own = np.clip(draw.normal(ndcg[model], 0.01, 200), 0, 1)
        return {"validation": Ranked(own, own)}

    monkeypatch.setattr("engine.doctor.distill.values", values)
    found = doctor.outcomes(("distilled-not-worse",), *BEFORE, "distill")["distilled-not-worse"]
    assert found.verdict == verdict and "95 % interval" in found.evidence


def test_a_baseline_in_place_of_the_distilled_student_is_named_and_is_no_fault(doctor: Doctor) -> None:
    folder = doctor.copy("distill")
    summary = Summary.read(folder)
    assert summary is not None
    gain = Gain(0.0003, -0.002, 0.004)
    (folder / SUMMARY).write_text(json.dumps(asdict(summary) | {"facts": summary.facts | gain.facts}), encoding="utf-8")
    names = ("distilled-differs", "distilled-not-worse")
    found = doctor.outcomes(names, *BEFORE, "distill", altered={"distill": folder})
    assert [found[name].verdict for name in names] == ["warn", "skip"]
    assert "+0.0003, -0.0020 to +0.0040" in found[names[0]].evidence
    assert "distill.choose=distilled" in found[names[0]].remedy
