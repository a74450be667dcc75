"""A student that is taught by other rows' answers, is not taught at all, or is worse for it."""

import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.distill.teacher_targets import TeacherTargets
from engine.doctor.quality import Ranked
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
