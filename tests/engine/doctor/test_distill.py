"""A student that is taught by other rows' answers, is not taught at all, or is worse for it."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from engine.distill.teacher_targets import TeacherTargets
from engine.doctor.quality import Ranked

BEFORE = ("data", "student", "backbone", "teacher", "knowledge")


def test_a_sound_student_is_taught_by_its_own_rows_and_becomes_another_model(case, look):
    found = look(case(*BEFORE, "distill"), "answers-fit-positions", "distilled-differs")
    assert [outcome.verdict for outcome in found.values()] == ["pass", "pass"], found


def test_answers_shifted_by_one_row_are_named(case, named, monkeypatch):
    sound = TeacherTargets.__init__

    def shifted(self, *given):
        sound(self, *given)
        self.items = self.items.roll(1, dims=0)

    monkeypatch.setattr(TeacherTargets, "__init__", shifted)
    assert "by the ranking of another event" in named(case(*BEFORE), "answers-fit-positions").evidence


def test_answers_about_other_histories_ends_are_named(case, look, named, settings, monkeypatch):
    taught = replace(settings, distill=replace(settings.distill, last_position=1.0))
    found = look(case(*BEFORE, config=taught), "answers-fit-positions")["answers-fit-positions"]
    assert found.verdict == "pass", found
    sound = TeacherTargets.after
    monkeypatch.setattr(TeacherTargets, "after", lambda self, batch: sound(self, batch).clamp(max=1))
    evidence = named(case(*BEFORE, config=taught), "answers-fit-positions").evidence
    assert "by the ranking of another event" in evidence


def test_a_taught_student_that_is_the_baseline_is_named(case, copy, done, named):
    folder = copy("distill")
    shutil.copy2(done["student"] / "artifacts" / "model.safetensors", folder / "artifacts" / "model.safetensors")
    assert named(case(*BEFORE, altered={"distill": folder}), "distilled-differs").evidence.startswith("0.0%")


@pytest.mark.parametrize(("taught", "verdict"), [(0.02, "warn"), (0.2, "pass")])
def test_a_student_that_teaching_made_worse_is_told(case, look, monkeypatch, taught, verdict):
    draw = np.random.default_rng(0)
    ndcg = {"student": 0.1, "distilled": taught}

    def values(about, model):
        own = np.clip(draw.normal(ndcg[model], 0.01, 200), 0, 1)
        return {"validation": Ranked(own, own)}

    monkeypatch.setattr("engine.doctor.distill.values", values)
    found = look(case(*BEFORE, "distill"), "distilled-not-worse")["distilled-not-worse"]
    assert found.verdict == verdict and "95 % interval" in found.evidence
