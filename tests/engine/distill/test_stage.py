"""The distill stage as a whole: what it writes and reports, and that stopping it changes nothing."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import config
from engine.config import Config
from engine.config.settings.distill import DistillSettings
from engine.distill.module import DistillModule
from engine.distill.stage import run as distill
from engine.errors import ConfigError, DataError
from engine.runs.reader import history
from engine.runs.run import Run, Stopped
from engine.stages import DISTILLED_MODEL, DISTILLED_REFIT, ITEM_VECTORS, STAGES, TERMS
from engine.student.cold_items import ColdItems
from engine.student.model import load_student
from tests.engine.distill.conftest import circle
from tests.fixtures.processes import run_in_processes
from tests.fixtures.students import counting
from tests.fixtures.training import assert_same_training, logged, stop_at

Settings = Callable[..., DistillSettings]


@pytest.fixture(scope="module")
def whole() -> Config:
    return config.load([])


def of(whole: Config, settings: DistillSettings) -> Config:
    whole.distill, whole.trainer.report_every = settings, 1
    return whole


def model_of(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.folder / "artifacts" / DISTILLED_MODEL.file)


def test_it_writes_a_plain_student_and_reports_every_term_its_weight_and_its_share(
    whole: Config, settings: Settings, distill_run: Callable[..., Run]
) -> None:
    run = distill_run()
    with run:
        distill(of(whole, settings(student={"epochs": 8}, dro={"alpha": 0.1}, hint=0.1, last_position=0.5)), run)
    model = load_student(run.folder / "artifacts" / DISTILLED_MODEL.file)
    assert model.items == 20 and not any("project" in name for name in model.state_dict())
    best = max(e.values["val_ndcg@10"] for e in history(run.folder).evaluations)
    assert best > 0.4  # chance is about 0.2 with 20 items
    summary = json.loads((run.folder / "summary.json").read_text())
    assert {metric.name for metric in STAGES["distill"].metrics} <= set(summary["last"])
    for term in TERMS:
        assert {term, f"{term}_weight", f"{term}_share"} <= set(summary["last"])
    assert summary["facts"]["last_position_answered"] == summary["facts"]["users"] == 60
    assert summary["facts"]["answered_share"] == 1.0 and summary["facts"]["train_seconds"] > 0
    users = model.user_vectors(torch.tensor([[3, 4]]))
    assert torch.isfinite(users).all()
    assert f'"uniform":["base",{math.log(20):.6f}' in (run.folder / "events.jsonl").read_text()  # for the monitor


@pytest.mark.parametrize("stop", [3, 6])
def test_a_stopped_and_resumed_training_ends_with_the_very_numbers_of_an_uninterrupted_one(
    whole: Config, settings: Settings, distill_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    chosen = of(whole, settings(student={"epochs": 3, "average": 0.9}, dro={"alpha": 0.1}, hint=0.1, last_position=0.5))
    straight, interrupted = distill_run("straight"), distill_run("interrupted")
    with straight:
        distill(chosen, straight)
    with monkeypatch.context() as patch, pytest.raises(Stopped), interrupted:
        stop_at(interrupted, stop, patch)
        distill(chosen, interrupted)
    torch.manual_seed(999)  # another process has other generators
    resumed = Run(interrupted.folder)
    with resumed:
        distill(chosen, resumed)
    one, other = model_of(straight), model_of(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    evaluations = [[(e.step, e.values) for e in history(r.folder).evaluations] for r in (straight, resumed)]
    assert evaluations[0] == evaluations[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"student": {"average": 0.9, "epochs": 2}, "last_position": 0.5},
        {
            "student": {"loss": "bce", "negatives": 2, "clip": 0.5, "epochs": 2, "model": "sasrec-reference"},
            "dro": {"alpha": 0.1},
            "hint": 0.1,
        },
        {"kl": {"weight": 0.5}, "select": "ground-truth-error", "share": 0.5, "student": {"epochs": 2}},
    ],
)
def test_captured_steps_train_to_the_very_numbers_of_plain_ones(
    whole: Config,
    settings: Settings,
    distill_run: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    chosen = of(whole, settings(**changes))
    captured, plain = distill_run("captured", share=0.6), distill_run("plain", share=0.6)
    with monkeypatch.context() as patch:
        patch.setattr(chosen.trainer, "cuda_graph", "true")
        patch.setattr(chosen.trainer, "report_every", 3)
        with captured:
            distill(chosen, captured)
        patch.setattr(DistillModule, "obstacle", lambda module: "this is a test")
        with plain:
            distill(chosen, plain)
    assert "without a graph" in logged(captured)[-1] and "this is a test" in logged(plain)[-1]
    assert_same_training(captured, plain)


def test_a_stop_between_captured_steps_changes_nothing(
    whole: Config, settings: Settings, distill_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = of(whole, settings(student={"epochs": 3, "average": 0.9}, dro={"alpha": 0.1}, last_position=0.5))
    straight, stopped = distill_run("straight"), distill_run("stopped")
    with monkeypatch.context() as patch:
        patch.setattr(chosen.trainer, "cuda_graph", "true")
        with straight:
            distill(chosen, straight)
        with monkeypatch.context() as inner, pytest.raises(Stopped), stopped:
            stop_at(stopped, 6, inner)
            distill(chosen, stopped)
        torch.manual_seed(999)  # another process has other generators
        resumed = Run(stopped.folder)
        with resumed:
            distill(chosen, resumed)
    assert_same_training(straight, resumed)


def test_two_processes_end_with_the_metrics_and_terms_of_one_that_sees_the_same_batches(
    whole: Config, settings: Settings, distill_run: Callable[..., Run]
) -> None:
    changes = {"hint": 0.1, "last_position": 0.5, "select": "kl-divergence", "share": 0.5}
    chosen = of(whole, settings(student={"epochs": 3, "dropout": 0.0}, **changes))
    alone, shared = distill_run("alone", share=0.6), distill_run("shared", share=0.6)
    with alone:
        distill(chosen, alone)
    run_in_processes(chosen, shared.folder)
    own, both = history(alone.folder), history(shared.folder)
    for one, other in zip(own.evaluations, both.evaluations, strict=True):
        assert other.values == pytest.approx(one.values, rel=1e-4)
    for term in ("loss", *(name for name in TERMS if name != "dro"), "ranking_share", "base_share"):
        assert both.series[term].values == pytest.approx(own.series[term].values, rel=1e-3), term
    models = [load_student(run.folder / "artifacts" / DISTILLED_MODEL.file) for run in (alone, shared)]
    one, other = (model.user_vectors(torch.arange(1, 21)[:, None]) for model in models)
    torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-4)


def test_each_of_several_processes_has_a_part_of_every_batch(
    whole: Config, settings: Settings, distill_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, modules = of(whole, settings()), list[DistillModule]()
    monkeypatch.setattr(chosen.trainer, "devices", 3)
    monkeypatch.setattr("engine.training.fit.fit", lambda module, *_, **__: modules.append(module))
    with distill_run() as run:
        distill(chosen, run)
    batch = modules[0].sampler(0)
    assert batch.share is not None and batch.packed.rows == 6 and modules[0].processes.count == 3  # of 16 histories


def test_the_published_arithmetic_refuses_several_processes(
    whole: Config, settings: Settings, distill_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = of(whole, settings(as_released=True, student={"loss": "bce", "negatives": 1}, kl={"weight": 0.0}))
    monkeypatch.setattr(chosen.trainer, "devices", 2)
    with pytest.raises(ConfigError, match=r"(?s)means over a whole batch.*trainer.devices=1"), distill_run() as run:
        distill(chosen, run)


@pytest.mark.parametrize("model", ["gru4rec", "caser", "sasrec-reference"])
def test_every_student_can_be_distilled_also_as_released(
    whole: Config, settings: Settings, distill_run: Callable[..., Run], model: str
) -> None:
    base = config.load([f"student={model}", "distill=as-released"]).distill.student
    small = vars(base) | {"hidden": 8, "max_length": 6, "epochs": 2, "batch": 16, "evaluate_every": 1}
    run = distill_run(model)
    with run:
        chosen = settings(as_released=True, student=small, kl={"weight": 0.0}, dro={"alpha": 0.5})
        distill(of(whole, chosen), run)
    assert load_student(run.folder / "artifacts" / DISTILLED_MODEL.file).settings.model == model


@pytest.mark.parametrize("own", [{}, {"loss": "bce", "negatives": 1}, {"normalise": True}])
def test_in_half_precision_a_student_learns_the_same(
    whole: Config, settings: Settings, distill_run: Callable[..., Run], own: dict[str, object]
) -> None:
    final = []
    for precision in ("32-true", "bf16-mixed"):
        run = distill_run(precision)
        student = {"epochs": 8, "precision": precision} | own
        with run:
            distill(of(whole, settings(student=student, dro={"alpha": 0.1}, hint=0.1)), run)
        end = json.loads((run.folder / "summary.json").read_text())["last"]
        final.append([end[name] for name in ("loss", "base", "ranking", "kl", "hint", "base_share", "kl_share")])
    assert final[1] != final[0]  # distill.student.precision is heeded, not trainer.precision
    assert final[1] == pytest.approx(final[0], rel=0.1, abs=0.01)


def test_select_all_needs_a_ranking_of_every_row(
    whole: Config, settings: Settings, distill_run: Callable[..., Run]
) -> None:
    partly = distill_run("partly", share=0.5)
    with pytest.raises(DataError, match=r"(?s)answered \d+ of \d+ training rows.*distill.select=asked"), partly:
        distill(of(whole, settings(select="all")), partly)
    asked = distill_run("asked", share=0.5)
    with asked:
        distill(of(whole, settings(student={"epochs": 1})), asked)
    assert json.loads((asked.folder / "summary.json").read_text())["facts"]["answered_share"] == pytest.approx(
        0.5, abs=0.01
    )


def test_missing_last_positions_are_warned_of_and_change_nothing(
    whole: Config, settings: Settings, distill_run: Callable[..., Run]
) -> None:
    models = []
    for weight in (0.0, 1.0):
        run = distill_run(f"last-{weight}", last_position=False)
        with run:
            distill(of(whole, settings(student={"epochs": 1}, last_position=weight)), run)
        messages = [str(event) for event in history(run.folder).notices if event["k"] == "log"]
        assert any("no last-position targets" in event for event in messages) == (weight > 0)
        models.append(model_of(run))
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def test_without_own_vectors_a_stopped_training_ends_as_an_uninterrupted_one_and_writes_a_plain_student(
    whole: Config, settings: Settings, distill_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = {"ranking": {"weight": 0.0}, "kl": {"weight": 0.0}}
    chosen = of(whole, settings(student={"epochs": 3, "average": 0.9}, own_vectors=False, **nothing))
    straight, stopped = distill_run("straight"), distill_run("stopped")
    with straight:
        distill(chosen, straight)
    with monkeypatch.context() as patch, pytest.raises(Stopped), stopped:
        stop_at(stopped, 5, patch)
        distill(chosen, stopped)
    resumed = Run(stopped.folder)
    with resumed:
        distill(chosen, resumed)
    one, other = model_of(straight), model_of(resumed)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    vectors = torch.cat([circle()[1:], torch.ones(20, 1)], dim=1)  # a linear map and its bias
    table = load_student(straight.folder / "artifacts" / DISTILLED_MODEL.file).item_table()[0].detach()[1:]
    residual = table - vectors @ torch.linalg.lstsq(vectors, table).solution
    assert float(residual.abs().max()) < 1e-4 and float(table.abs().max()) > 0.1


def test_an_item_without_a_training_event_is_found_by_the_items_of_similar_text(
    whole: Config, settings: Settings, distill_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Item 9 is in no history; beside the items 8 and 10 on the circle it is about as good as these."""
    histories = [[item for item in history if item != 9] for history in counting(60, 20)]
    tables = []
    for source in ("text", "key"):
        monkeypatch.setattr(whole.knowledge, "item_vectors", source)
        monkeypatch.setattr(whole.knowledge, "models", ["student"])
        run = distill_run(source, histories=histories)
        with run:
            distill(of(whole, settings(student={"epochs": 6})), run)
        tables.append(load_student(run.folder / "artifacts" / DISTILLED_MODEL.file).item_table()[0].detach())
    others = [item for item in range(21) if item != 9]
    assert torch.equal(tables[0][others], tables[1][others])  # it was not in the training, whatever it gets
    expected = tables[0].clone()
    ColdItems(torch.arange(21) == 9, circle()).fill(expected)
    torch.testing.assert_close(tables[0][9], expected[9])
    assert float(torch.cosine_similarity(tables[0][9], tables[0][[8, 10]].mean(dim=0), dim=0)) > 0.8
    assert float((tables[1][9] - expected[9]).abs().max()) > 0.05


def test_knowledge_without_item_vectors_trains_as_without_injection_and_terms_that_need_them_are_refused(
    whole: Config, settings: Settings, distill_run: Callable[..., Run]
) -> None:
    models = []
    for name, weight, vectors in (("none", 1.0, False), ("off", 0.0, True)):
        run = distill_run(name)
        if not vectors:
            save_file({"vectors": torch.zeros(21, 0)}, run.input(ITEM_VECTORS))
        with run:
            distill(of(whole, settings(student={"epochs": 2}, injection={"weight": weight})), run)
        models.append(model_of(run))
        assert ("has no effect" in (run.folder / "events.jsonl").read_text()) is not vectors
    assert models[0].keys() == models[1].keys()
    assert all(torch.equal(value, models[1][name]) for name, value in models[0].items())
    for name, terms in (("hint", {"hint": 0.5}), ("own_vectors", {"own_vectors": False})):
        run = distill_run(f"refused-{name}")
        save_file({"vectors": torch.zeros(21, 0)}, run.input(ITEM_VECTORS))
        with pytest.raises(DataError, match=f"distill.{name}"), run:
            distill(of(whole, settings(**terms)), run)


def test_a_second_training_is_the_one_that_the_whole_events_and_their_rankings_give_for_as_many_epochs(
    whole: Config, settings: Settings, distill_run: Callable[..., Run]
) -> None:
    student = {"epochs": 5, "schedule": "cosine", "average": 0.9, "patience": 0}
    plain, both = distill_run("plain"), distill_run("both")
    for run, refit in ((plain, False), (both, True)):
        with run:
            distill(of(whole, settings(student=student | {"refit": refit}, last_position=0.5, hint=0.1)), run)
    assert all(torch.equal(value, model_of(both)[name]) for name, value in model_of(plain).items())
    assert not (plain.folder / "artifacts" / DISTILLED_REFIT.file).exists()
    facts = json.loads((both.folder / "summary.json").read_text())["facts"]
    assert facts["refit_steps"] == facts["best_step"] and facts["refit_seconds"] > 0  # no user is new: as many steps

    direct = distill_run("direct", histories=counting(60, 20), last_position=False)  # no last one is left unknown
    epochs = round(facts["refit_epochs"])
    with direct, pytest.MonkeyPatch.context() as patch:  # its schedule is that of five epochs, too
        values = iter([1.0, *[0.0] * 9])
        worse = "engine.distill.stage.Validation.__call__"
        patch.setattr(worse, lambda *given: {"val_ndcg@10": next(values), "val_recall@10": 0.0})
        ended = student | {"patience": 1, "evaluate_every": epochs}
        distill(of(whole, settings(student=ended, last_position=0.5, hint=0.1)), direct)
    again, expected = load_file(both.folder / "artifacts" / DISTILLED_REFIT.file), model_of(direct)
    assert all(torch.equal(again[name], expected[name]) for name in expected)
    assert not all(torch.equal(again[name], value) for name, value in model_of(both).items())
