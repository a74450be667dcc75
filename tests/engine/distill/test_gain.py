"""What a distillation writes: itself where validation rows show a gain, else the baseline, and it says so."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from engine import config
from engine.config import Config
from engine.config.settings.distill import DistillSettings
from engine.distill.gain import Gain, replaced
from engine.distill.stage import run as distill
from engine.experiments.plan import inputs_of
from engine.runs.reader import history
from engine.runs.run import Run
from engine.runs.schema import Summary
from engine.stages import DISTILLED_MODEL, DISTILLED_REFIT, STAGES, STUDENT_MODEL, STUDENT_REFIT
from engine.student.model import SequenceModel, load_student, save_student
from tests.fixtures.training import logged

Settings = Callable[..., DistillSettings]
NOTHING = {"ranking": {"weight": 0.0}, "kl": {"weight": 0.0}}


@pytest.fixture(scope="module")
def whole() -> Config:
    return config.load([])


def with_baseline(run: Run, model: SequenceModel) -> Path:
    """The run's student, in a folder that it names among its inputs."""
    folder = run.folder.parent / "student-1" / "artifacts"
    folder.mkdir(parents=True)
    save_student(folder / STUDENT_MODEL.file, model)
    run.info.inputs["student"] = "student-1"
    return folder / STUDENT_MODEL.file


def trained(whole: Config, settings: DistillSettings, run: Run) -> SequenceModel:
    whole.distill = settings
    with run:
        distill(whole, run)
    return load_student(run.folder / "artifacts" / DISTILLED_MODEL.file)


def facts_of(run: Run) -> dict[str, object]:
    summary = Summary.read(run.folder)
    assert summary is not None
    return summary.facts


def test_without_a_gain_the_baseline_is_written_and_the_run_says_so(
    whole: Config, settings: Settings, distill_run: Callable[..., Run]
) -> None:
    first = distill_run("good")
    good = trained(whole, settings(student={"epochs": 12}), first)
    run = distill_run("better")
    path = with_baseline(run, good)
    trained(whole, settings(student={"epochs": 1, "hidden": 8}, choose="better", **NOTHING), run)
    ours, base = load_file(run.folder / "artifacts" / DISTILLED_MODEL.file), load_file(path)
    assert ours.keys() == base.keys() and all(torch.equal(ours[name], base[name]) for name in ours)
    facts = facts_of(run)
    gain = replaced(facts)
    assert facts["chosen"] == "student" and gain is not None and gain.difference < 0
    (said,) = [text for text in logged(run) if "baseline student is written" in text]
    assert f"{gain.difference:+.4f}, {gain.low:+.4f} to {gain.high:+.4f}" in said
    assert "distill.choose=distilled" in said
    # The curve is that of the distilled student all the same.
    (evaluation,) = history(run.folder).evaluations
    (best,) = [e.values for e in history(first.folder).evaluations if e.best][-1:]
    assert evaluation.values["val_ndcg@10"] == pytest.approx(best["val_ndcg@10"] + gain.difference, abs=1e-6)


def test_where_the_baseline_is_written_its_own_second_training_stands_beside_it(
    whole: Config, settings: Settings, distill_run: Callable[..., Run]
) -> None:
    good = trained(whole, settings(student={"epochs": 12}), distill_run("good"))
    run = distill_run("better")
    second = with_baseline(run, good).with_name(STUDENT_REFIT.file)
    save_student(second, SequenceModel(20, settings().student))
    short = {"epochs": 1, "hidden": 8, "refit": True}
    trained(whole, settings(student=short, choose="better", **NOTHING), run)
    ours, expected = load_file(run.folder / "artifacts" / DISTILLED_REFIT.file), load_file(second)
    assert ours.keys() == expected.keys() and all(torch.equal(ours[name], expected[name]) for name in ours)
    assert "refit_steps" not in facts_of(run)


def test_with_a_gain_the_distilled_student_is_written(
    whole: Config, settings: Settings, distill_run: Callable[..., Run]
) -> None:
    models = []
    for choose in ("better", "distilled"):
        run = distill_run(choose)
        torch.manual_seed(1)
        with_baseline(run, SequenceModel(20, settings().student))
        models.append(trained(whole, settings(student={"epochs": 6}, choose=choose), run).state_dict())
        facts = facts_of(run)
        assert facts.get("chosen") == ("distilled" if choose == "better" else None) and replaced(facts) is None
        assert not any("baseline student" in text for text in logged(run))
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def test_the_baseline_is_needed_only_where_it_may_be_written() -> None:
    stage = STAGES["distill"]
    assert inputs_of(stage, config.load([])) == ["data", "student", "knowledge"]
    assert inputs_of(stage, config.load(["distill.choose=distilled"])) == ["data", "knowledge"]
    assert config.load(["distill=as-released", "student=sasrec-reference"]).distill.choose == "distilled"


@hypothesis_settings(deadline=None)
@given(st.floats(-0.1, 0.1), st.floats(0, 0.1), st.floats(0, 0.1))
def test_only_an_interval_above_zero_chooses_the_distilled_student(mean: float, below: float, above: float) -> None:
    gain = Gain(mean, mean - below, mean + above)
    assert (gain.chosen == "distilled") == (mean - below > 0)
    again = replaced(gain.facts)
    assert (again is None) == (mean - below > 0)
    if again is not None:
        assert np.allclose([again.difference, again.low, again.high], [mean, mean - below, mean + above], atol=1e-6)


def test_an_interval_of_a_single_row_decides_nothing() -> None:
    assert Gain(0.5, -math.inf, math.inf).chosen == "student"
