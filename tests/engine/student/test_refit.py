"""A second training on training and validation events: which events, how long, a stop, and what ranks and ships it."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from engine import config
from engine.cli import main
from engine.config import Config
from engine.config.settings.student import StudentSettings
from engine.data.sequences import Rows, Sequences
from engine.doctor.quality import scorers_of
from engine.errors import ConfigError
from engine.experiments.plan import pipeline
from engine.report.evaluation import render
from engine.runs.reader import history
from engine.runs.run import Run, Stopped
from engine.runs.schema import Summary
from engine.stages import (
    DISTILLED_REFIT,
    ITEMS,
    METRICS_TABLE,
    SEQUENCES,
    STUDENT_MODEL,
    STUDENT_REFIT,
    TEST,
    VALIDATION,
)
from engine.student.model import load_student
from engine.student.refit import with_validation
from engine.student.stage import run as train_student
from engine.student.untrained import Untrained, real_titles
from tests.fixtures.doctor import Doctor
from tests.fixtures.students import sequences_of

Settings = Callable[..., StudentSettings]
COUNTED = ["student.refit=true", "knowledge.models=[transitions]"]  # distilled by what needs no training
COUNTED_AGAIN = "transitions+titles-refit"
REFITTED = ["student-refit", "distilled-refit", COUNTED_AGAIN]
MODELS = f"evaluate.models=[popularity,transitions,student,distilled,oracle,{','.join(REFITTED)}]"
AGAIN = "trained anew on training and validation events for as many epochs"


@pytest.fixture
def configured(settings: Settings) -> Callable[..., Config]:
    whole = config.load([])

    def make(**changes: Any) -> Config:
        chosen = {"dropout": 0.3, "learning_rate": 1e-2, "average": 0.9, "schedule": "cosine"} | changes
        return replace(whole, student=settings(**chosen))

    return make


def by_user(sequences: Sequences) -> dict[int, list[int]]:
    bounds = zip(sequences.users, sequences.offsets[:-1], sequences.offsets[1:], strict=True)
    return {int(user): sequences.items[begin:end].tolist() for user, begin, end in bounds}


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=6),
    st.lists(st.integers(0, 4), min_size=6, max_size=6),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
    st.randoms(use_true_random=False),
)
def test_held_out_events_follow_the_training_events_of_their_user_in_order(
    histories: list[list[int]], trained: list[int], held_out: list[int], order: Any
) -> None:
    whole, expected, training, rows = sequences_of(histories), {}, [], []
    for user, events in enumerate(histories):
        first = min(trained[user], len(events))
        begin, stops = int(whole.offsets[user]), range(first, min(first + held_out[user], len(events)))
        training.append(events[:first])
        rows += [(begin, begin + stop, user) for stop in stops if stop]
        end = max([stop + 1 for stop in stops if stop], default=first)
        expected[user] = events[:end]
    order.shuffle(rows)
    start, stop, users = (np.array([row[part] for row in rows], dtype=np.int64) for part in range(3))
    known = [user for user, events in enumerate(training) if events]
    some = sequences_of([training[user] for user in known])
    found, moved = with_validation(
        Sequences(some.items, some.offsets, np.array(known, dtype=np.int64)), Rows(whole.items, start, stop, users)
    )
    assert found.items[moved].tolist() == some.items.tolist()
    assert by_user(found) == {user: events for user, events in expected.items() if events}
    assert found.items.dtype == np.int32 and found.offsets.dtype == np.int64


def test_it_is_the_training_that_the_whole_events_give_for_as_many_epochs(
    configured: Callable[..., Config], student_run: Callable[..., Run]
) -> None:
    plain, both, direct = (student_run(name=name) for name in ("plain", "both", "direct"))
    for run, refit in ((plain, False), (both, True)):
        with run:
            train_student(configured(epochs=6, refit=refit), run)
    facts = Summary.read(both.folder).facts
    assert facts["best_step"] > 0 and facts["refit_steps"] == facts["best_step"]  # no user is new: as many steps
    first, same = (load_file(run.folder / "artifacts" / STUDENT_MODEL.file) for run in (plain, both))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not (plain.folder / "artifacts" / STUDENT_REFIT.file).exists()
    assert len(history(both.folder).evaluations) == len(history(plain.folder).evaluations)

    whole = with_validation(Sequences.load(direct.input(SEQUENCES)), Rows.load(direct.input(VALIDATION)))[0]
    whole.save(direct.input(SEQUENCES))
    epochs = round(facts["refit_epochs"])
    with direct:  # the schedule is that of six epochs: a constant one would hide a difference
        stopped_at(configured(epochs=6, evaluate_every=epochs), direct, epochs)
    again = load_file(both.folder / "artifacts" / STUDENT_REFIT.file)
    expected = load_file(direct.folder / "artifacts" / STUDENT_MODEL.file)
    assert all(torch.equal(again[name], expected[name]) for name in expected)
    assert not all(torch.equal(again[name], first[name]) for name in first)


def stopped_at(settings: Config, run: Run, epochs: int) -> None:
    """A training whose evaluations after ``epochs`` are worse than the first: patience ends it, the first is kept."""
    settings.student.patience = 1
    values = iter([1.0, *[0.0] * 100])
    with pytest.MonkeyPatch.context() as patch:
        worse = "engine.student.stage.Validation.__call__"
        patch.setattr(worse, lambda *given: {"val_ndcg@10": next(values), "val_recall@10": 0.0})
        train_student(settings, run)


def test_a_stop_while_it_trains_again_costs_that_training_alone(
    configured: Callable[..., Config], student_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = configured(epochs=3, refit=True)
    chosen = replace(chosen, trainer=replace(chosen.trainer, report_every=1))
    whole, broken = student_run(name="whole"), student_run(name="broken")
    with whole:
        train_student(chosen, whole)
    phases, progress = list[str](), Run.progress

    def noted(self: Run, step: int, total: int, phase: str, **more: Any) -> None:
        phases.append(phase)
        progress(self, step, total, phase, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "progress", noted)
        patch.setattr(Run, "stop_requested", property(lambda self: "refit" in phases))
        with pytest.raises(Stopped, match="starts over"), Run(broken.folder) as run:
            train_student(chosen, run)
    made = broken.folder / "artifacts"
    assert (made / STUDENT_MODEL.file).exists() and not (made / STUDENT_REFIT.file).exists()
    with Run(broken.folder) as run:
        train_student(chosen, run)
    first, second = (load_file(run.folder / "artifacts" / STUDENT_REFIT.file) for run in (whole, broken))
    assert all(torch.equal(first[name], second[name]) for name in first)
    steps = [evaluation.step for evaluation in history(broken.folder).evaluations]
    assert steps == sorted(set(steps))


def test_plans_refuse_what_would_train_it_on_several_devices_or_rank_it_untrained() -> None:
    with pytest.raises(ConfigError, match="one device alone"):
        pipeline("student", config.load(["student.refit=true", "trainer.devices=2"]))
    ranked = "evaluate.models=[student,student-refit]"
    with pytest.raises(ConfigError, match="no student-refit is trained") as error:
        pipeline("evaluate", config.load([ranked]))
    assert "student.refit=true" in error.value.remedy
    stages = [stage.name for stage in pipeline("evaluate", config.load([ranked, "student.refit=true"]))]
    assert stages == ["data", "student", "evaluate"]
    ranked, words = "evaluate.models=[student,distilled-refit]", ["student.refit=true", "distill.student.refit=false"]
    with pytest.raises(ConfigError, match="no distilled-refit is trained"):
        pipeline("evaluate", config.load([ranked, *words]))
    alone = ["student.refit=false", "distill.student.refit=true"]
    with pytest.raises(ConfigError, match="no second model of it is there") as error:
        pipeline("distill", config.load([*alone, "distill.choose=better"]))
    assert "distill.choose=distilled" in error.value.remedy
    assert pipeline("distill", config.load([*alone, "distill.choose=distilled"]))
    with pytest.raises(ConfigError, match="one device alone"):
        pipeline("distill", config.load([*alone, "distill.choose=distilled", "trainer.devices=2"]))


@pytest.fixture(scope="module")
def chain(new_chain: Callable[[], Any]) -> Any:
    chain = new_chain()
    chain.perform("student", "again", COUNTED)
    chain.perform("knowledge", "", COUNTED, {"teacher": "none"})
    chain.perform("distill", "", COUNTED, {"student": "again"})
    chain.perform("evaluate", "", [*COUNTED, MODELS], {"student": "again"})
    return chain


@pytest.mark.parametrize("model", ["student", "distilled"])
def test_it_has_test_rows_only_and_the_table_says_what_it_is(chain: Any, model: str) -> None:
    with chain.made("evaluate", METRICS_TABLE).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == f"{model}-refit"]
    assert Summary.read(chain.runs / "evaluate").facts["model"] == "distilled"  # whose figure is the run's
    assert {row["split"] for row in rows} == {"test"} and float(rows[0]["train_seconds"]) > 0
    text = " ".join(render(chain.runs / "evaluate").split())
    assert f"{model}-refit = {model}, {AGAIN}" in text
    assert f"{model}-refit" in text.partition("on these rows")[2]  # compared with the other models


def test_it_is_held_against_counting_of_the_same_events(chain: Any, tmp_path: Path) -> None:
    settings, _ = chain.start("evaluate", "for-the-scores", [*COUNTED, MODELS])
    scores = scorers_of(Doctor({"data": chain.runs / "data"}, settings, tmp_path).case("data"), COUNTED_AGAIN)
    training, validation, test, items = (chain.made("data", one) for one in (SEQUENCES, VALIDATION, TEST, ITEMS))
    whole, rows = with_validation(Sequences.load(training), Rows.load(validation))[0], Rows.load(test)
    block = slice(0, len(rows))
    expected = Untrained(whole, real_titles(items)).model("transitions+titles").after_rows(rows, "cpu")(block)
    assert set(scores) == {"test"} and torch.equal(scores["test"](block), expected)
    text = " ".join(render(chain.runs / "evaluate").split())
    assert f"{COUNTED_AGAIN} = transitions+titles of training and validation events" in text
    assert f"{COUNTED_AGAIN} (untrained)" in text
    least = text.partition("against the best model that needs no training")[2]
    for model in ("student", "distilled"):
        assert re.search(rf"{model}-refit (<|>|and) {re.escape(COUNTED_AGAIN)}[ :]", least)
        assert not re.search(rf"{model}-refit (<|>|and) transitions[ :]", text)


def test_the_doctor_judges_it_by_no_validation_row(chain: Any, tmp_path: Path) -> None:
    settings, _ = chain.start("evaluate", "for-the-doctor", [*COUNTED, MODELS])
    runs = {"data": "data", "student": "again", "knowledge": "knowledge", "distill": "distill"}
    doctor = Doctor({stage: chain.runs / name for stage, name in runs.items()}, settings, tmp_path)
    case = doctor.case(*runs)
    assert all(set(scorers_of(case, model)) == {"test"} for model in REFITTED)
    runs_dry = ["student-dry-run", "distill-dry-run"]
    found = doctor.outcomes(["above-untrained", "validation-and-test-agree", *runs_dry], *runs)
    assert "-refit" not in found["above-untrained"].evidence
    assert "-refit" not in found["validation-and-test-agree"].evidence
    for check in runs_dry:
        assert "refit.safetensors" in found[check].evidence and found[check].verdict == "pass"


def test_it_is_exported_where_its_name_is_given(chain: Any, tmp_path: Path) -> None:
    words = ["export", "model", "evaluate", "--runs", str(chain.runs), "--format", "npy"]
    made = {
        "student": ("again", STUDENT_MODEL),
        "student-refit": ("again", STUDENT_REFIT),
        "distilled-refit": ("distill", DISTILLED_REFIT),
    }
    cards = {}
    for name, (run, artifact) in made.items():
        assert main([*words, "--model", name, "--to", str(tmp_path / name)]) == 0
        table = load_student(chain.made(run, artifact)).item_table()[0].detach().numpy()[1:]
        assert np.array_equal(np.load(tmp_path / name / "item_vectors.npy"), table)
        cards[name] = (tmp_path / name / "model_card.md").read_text().partition("## Figures")
    for name, (origin, _, figures) in cards.items():
        assert ("trained on training and validation events" in origin) == name.endswith("-refit")
        assert ("distilled (DLLM2Rec) from transitions" in origin) == (name == "distilled-refit")
        assert f"\n{name} " in figures


def test_a_run_without_it_says_how_to_make_it(chain: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "model", "student", "--runs", str(chain.runs), "--to", str(tmp_path / "x")]
    assert main([*words, "--model", "student-refit"]) == 2
    said = capsys.readouterr().err
    assert "engine run student student.refit=true" in said
    chain.perform("distill", "once", ["knowledge.models=[transitions]"])
    words[2] = "once"
    assert main([*words, "--model", "distilled-refit"]) == 2
    assert "engine run distill student.refit=true" in capsys.readouterr().err
