"""What the checks examine: finished runs where there are any, dry runs otherwise."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.doctor.case import Case
from engine.doctor.check import Unavailable
from engine.runs.run import Run
from engine.stages import GATE_WEIGHTS, SEQUENCES
from tests.fixtures.doctor import Doctor


def test_a_finished_run_is_used_and_a_dry_run_replaces_a_missing_one(doctor: Doctor) -> None:
    case = doctor.case("data")
    assert case.artifact(SEQUENCES).resolve() == (doctor.finished["data"] / "artifacts" / SEQUENCES.file).resolve()
    assert case.run_of("student") == case.dry_run("student").folder
    assert case.dry_input_of("student", SEQUENCES).parent.parent.name == "subset"
    with pytest.raises(Unavailable, match="student is not trained yet"):
        case.trained("student")


def test_what_cannot_run_is_unavailable_with_its_reason(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = replace(doctor.settings, backbone=replace(doctor.settings.backbone, source="hub"))
    with pytest.raises(Unavailable, match="not downloaded yet: engine run backbone"):
        doctor.case("data", config=hub).dry_run("backbone")
    executed: list[str] = []

    def broken(settings: object, run: Run) -> None:
        executed.append(run.id)
        raise ValueError("shapes do not match")

    monkeypatch.setattr("engine.student.stage.run", broken)
    case = doctor.case("data")
    for _ in range(2):
        with pytest.raises(Unavailable, match="student does not run: ValueError: shapes do not match"):
            case.dry_run("student")
    assert len(executed) == 1 and case.errors == {"student": "ValueError: shapes do not match"}
    with pytest.raises(Unavailable, match="knowledge wrote no"):
        done = doctor.case("data", "student", "backbone", "teacher", altered={"knowledge": _without_gates(doctor)})
        done.artifact(GATE_WEIGHTS)


def _without_gates(doctor: Doctor) -> Path:
    folder = doctor.copy("knowledge")
    (folder / "artifacts" / GATE_WEIGHTS.file).unlink()
    return folder


def test_a_trainable_module_starts_anew_from_its_first_weights(doctor: Doctor) -> None:
    trainable = doctor.case("data").trainable("student")
    module = trainable.fresh()
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    optimizer = module.configure_optimizers()
    loss = trainable.backward(0, optimizer)
    optimizer.step()
    assert any(not torch.equal(value, before[name]) for name, value in module.named_parameters())
    again = trainable.fresh()
    assert all(torch.equal(value, before[name]) for name, value in again.named_parameters())
    assert not again.training and float(trainable.loss(0)[1]) == pytest.approx(loss)


def test_titles_name_items_and_unknown_ids_are_shown_as_numbers(doctor: Doctor) -> None:
    case: Case = doctor.case("data")
    assert case.titled([1, 999]) == f"{case.titles[1]} | id 999" and case.titled([0]) == "id 0"
