"""The student stage as a whole: what it writes, and that stopping it changes nothing."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine import config
from engine.config import Config
from engine.config.settings.student import StudentSettings
from engine.errors import RunError, UserError
from engine.runs.reader import history
from engine.runs.run import Run, Stopped
from engine.stages import STAGES, STUDENT_MODEL
from engine.student.model import load_student
from engine.student.module import StudentModule
from engine.student.stage import run as train_student
from tests.fixtures.processes import run_in_processes
from tests.fixtures.training import assert_same_training, logged, stop_at

Settings = Callable[..., StudentSettings]


@pytest.fixture
def configured(settings: Settings) -> Callable[..., Config]:
    whole = config.load([])

    def make(**changes: Any) -> Config:
        whole.student, whole.trainer.report_every = settings(**{"dropout": 0.3, "learning_rate": 1e-2} | changes), 1
        return whole

    return make


def test_it_writes_the_model_and_reports_what_the_table_says(
    configured: Callable[..., Config], student_run: Callable[..., Run]
) -> None:
    run = student_run()
    with run:
        train_student(configured(epochs=6), run)
    model = load_student(run.folder / "artifacts" / STUDENT_MODEL.file)
    run_history = history(run.folder)
    best = max(run_history.evaluations, key=lambda evaluation: evaluation.values["val_ndcg@10"])
    assert best.values["val_ndcg@10"] > 0.3  # chance is about 0.2 with 20 items
    assert model.items == 20
    reported = {name for name in STAGES["student"].metrics}
    summary = (run.folder / "summary.json").read_text()
    assert all(f'"{metric.name}"' in summary for metric in reported)
    for fact in ("train_seconds", "train_cpu_seconds", "positions", "parameters", "best_step"):
        assert f'"{fact}"' in summary
    assert f'"uniform":["loss",{math.log(20):.6f}' in (run.folder / "events.jsonl").read_text()  # for the monitor


@pytest.mark.parametrize(
    "changes",
    [
        {"average": 0.9, "clip": 0.5, "attention_dropout": 0.2},
        {"loss": "sampled-softmax", "negatives": 5, "schedule": "cosine", "warmup": 3},
        {"loss": "gbce", "negatives": 3, "calibration": 0.5, "model": "sasrec-reference"},
    ],
)
def test_captured_steps_train_to_the_very_numbers_of_plain_ones(
    configured: Callable[..., Config],
    student_run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    """60 histories in batches of 16: the last of an epoch has another shape. Some chunks hold several steps."""
    chosen = configured(**changes)
    chosen.trainer.cuda_graph, chosen.trainer.report_every = "true", 3
    captured, plain = student_run(name="captured"), student_run(name="plain")
    with captured:
        train_student(chosen, captured)
    with monkeypatch.context() as patch, plain:
        patch.setattr(StudentModule, "obstacle", lambda module: "this is a test")
        train_student(chosen, plain)
    assert logged(captured) == ["steps run as they would be captured on a GPU, without a graph"]
    assert logged(plain) == ["no whole steps are captured as CUDA graphs: this is a test"]
    assert_same_training(captured, plain)


def test_a_stop_between_captured_steps_changes_nothing(
    configured: Callable[..., Config], student_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = configured(average=0.9, loss="sampled-softmax", negatives=5, clip=1.0)
    chosen.trainer.cuda_graph, chosen.trainer.report_every = "true", 2
    straight, stopped = student_run(name="straight"), student_run(name="stopped")
    with straight:
        train_student(chosen, straight)
    with monkeypatch.context() as patch, pytest.raises(Stopped), stopped:
        stop_at(stopped, 6, patch)
        train_student(chosen, stopped)
    torch.manual_seed(999)  # another process has other generators
    resumed = Run(stopped.folder)
    with resumed:
        train_student(chosen, resumed)
    assert_same_training(straight, resumed)


def test_a_run_says_why_its_steps_are_not_captured(
    configured: Callable[..., Config], student_run: Callable[..., Run]
) -> None:
    run, base = student_run(), config.load(["student=gru4rec"]).student
    chosen = configured()
    chosen.student = replace(base, hidden=8, max_length=8, batch=16, epochs=1, evaluate_every=1)
    chosen.trainer.cuda_graph = "true"
    with run:
        train_student(chosen, run)
    (message,) = logged(run)
    assert "no whole steps are captured as CUDA graphs" in message and "student.model=gru4rec" in message


@pytest.mark.parametrize("stop", [3, 6, 11])  # in the first epoch, in the second, in the third: always in the middle
@pytest.mark.parametrize("average", [None, 0.9])
def test_a_stopped_and_resumed_training_ends_with_the_very_numbers_of_an_uninterrupted_one(
    configured: Callable[..., Config],
    student_run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    stop: int,
    average: float | None,
) -> None:
    chosen = configured(average=average, attention_dropout=0.2, loss="sampled-softmax", negatives=5)
    straight = student_run(name="straight")
    with straight:
        train_student(chosen, straight)

    interrupted = student_run(name="interrupted")
    with monkeypatch.context() as patch, pytest.raises(Stopped), interrupted:
        stop_at(interrupted, stop, patch)
        train_student(chosen, interrupted)
    assert (interrupted.checkpoints / f"step-{stop:08d}.safetensors").exists()
    torch.manual_seed(999)  # another process has other generators
    resumed = Run(interrupted.folder)
    with resumed:
        train_student(chosen, resumed)

    first, second = (load_file(r.folder / "artifacts" / STUDENT_MODEL.file) for r in (straight, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    one, other = ([(e.step, e.values) for e in history(r.folder).evaluations] for r in (straight, resumed))
    assert one == other


def test_damaged_checkpoints_fall_back_and_at_last_name_the_remedy(
    configured: Callable[..., Config], student_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, straight, run = configured(), student_run(name="straight"), student_run(name="damaged")
    with straight:
        train_student(chosen, straight)
    with monkeypatch.context() as patch, pytest.raises(Stopped), run:
        stop_at(run, 11, patch)
        train_student(chosen, run)
    newest, before = sorted(run.checkpoints.glob("step-*"), reverse=True)
    newest.write_bytes(newest.read_bytes()[:-64])
    whole = before.read_bytes()
    before.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match=r"(?s)no checkpoint of this run can be read.*engine run student --again"):
        train_student(chosen, Run(run.folder))
    before.write_bytes(whole)
    resumed = Run(run.folder)
    with resumed:
        train_student(chosen, resumed)
    one, other = (load_file(r.folder / "artifacts" / STUDENT_MODEL.file) for r in (straight, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert "checkpoint_damaged" in (run.folder / "events.jsonl").read_text()


def test_a_learning_rate_that_blows_up_ends_with_its_likely_cause(
    configured: Callable[..., Config], student_run: Callable[..., Run]
) -> None:
    run = student_run()
    with pytest.raises(UserError, match=r"(?s)not a finite number.*learning rate is too high"), run:
        train_student(configured(learning_rate=1e30, epochs=20), run)
    assert '"nan_loss"' in (run.folder / "events.jsonl").read_text()
    assert not (run.folder / "artifacts" / STUDENT_MODEL.file).exists()


def test_two_processes_end_with_the_metrics_of_one_that_sees_the_same_batches(
    configured: Callable[..., Config], student_run: Callable[..., Run]
) -> None:
    chosen = configured(dropout=0.0, epochs=3)
    alone, shared = student_run(name="alone"), student_run(name="shared")
    with alone:
        train_student(chosen, alone)
    run_in_processes(chosen, shared.folder)
    own, both = history(alone.folder), history(shared.folder)
    for one, other in zip(own.evaluations, both.evaluations, strict=True):
        assert other.values == pytest.approx(one.values, rel=1e-4)
    losses = [story.series["loss"].values[-1] for story in (own, both)]  # the mean over processes
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    items = torch.arange(1, 21)[:, None]
    models = [load_student(run.folder / "artifacts" / STUDENT_MODEL.file) for run in (alone, shared)]
    one, other = (model.user_vectors(items) for model in models)
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_training_ends_when_patience_is_used_up(
    configured: Callable[..., Config], student_run: Callable[..., Run]
) -> None:
    run = student_run()
    with run:
        train_student(configured(epochs=40, learning_rate=1e-9, patience=2), run)
    assert len(history(run.folder).evaluations) == 3
