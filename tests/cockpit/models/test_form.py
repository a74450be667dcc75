"""The form knows what may be typed, what a sweep expands to, and which command it makes."""

import subprocess
import sys

import pytest

from cockpit.models.form import Form, changes_from


@pytest.fixture
def form():
    form = Form()
    form.load(
        {
            "groups": {
                "student": {"choice": "sasrec", "choices": ["sasrec", "gru4rec"]},
                "experiment": {"choices": ["demo"]},  # chosen as a preset
            },
            "settings": [
                {"key": "seed", "value": 0},
                {"key": "student.hidden", "value": 64},
                {"key": "student.learning_rate", "value": 1e-3},
                {"key": "student.loss", "value": "cross-entropy"},
                {"key": "student.normalise", "value": True},
                {"key": "student.blocks", "value": None},
                {"key": "student.heights", "value": [2, 3]},
                {"key": "data.name", "value": "demo"},
                {"key": "teacher.lora.rank", "value": 8},
                {"key": "gone.setting", "value": 1},
            ],
            "experiments": ["demo"],
        }
    )
    return form


def test_settings_that_are_not_declared_are_left_out(form):
    assert "gone.setting" not in form.settings and len(form.settings) == 10


@pytest.mark.parametrize(
    ("key", "text", "fault"),
    [
        ("student.hidden", "128", ""),
        ("student.hidden", "0", "0 is not allowed: int ≥ 1 ≤ 4096"),
        ("student.hidden", "sixty", "'sixty' is not a whole number: int ≥ 1 ≤ 4096"),
        ("student.hidden", "64.5", "whole number"),
        ("student.hidden", "", "whole number"),
        ("student.hidden", "null", "whole number"),
        ("student.hidden", "inf", "whole number"),
        ("student.hidden", "8,16,0", "0 is not allowed"),
        ("student.hidden", "8,8", "has a value twice. Every combination is run once."),
        ("student.learning_rate", "0", "0.0 is not allowed: float > 0"),
        ("student.learning_rate", "nan", "not allowed"),
        ("student.learning_rate", "9e-4", ""),
        ("student.loss", "bec", "cross-entropy | sampled-softmax | bce | gbce - did you mean bce?"),
        ("student", "gru4", "sasrec | gru4rec - did you mean gru4rec?"),
        ("student.normalise", "perhaps", "true or false"),
        ("student.blocks", "null", ""),
        ("student.blocks", "0", "not allowed"),
        ("student.heights", "[3,4]", ""),
        ("student.heights", "[3,0]", "not allowed"),
        ("student.heights", "3,4", "one list or 2 values"),
        ("data.name", "", ""),
    ],
)
def test_a_value_is_held_against_type_limits_and_choices(form, key, text, fault):
    form.changes[key] = text
    assert (fault in form.fault(key)) if fault else form.fault(key) == ""
    assert list(form.faults) == ([key] if fault else [])


@pytest.mark.parametrize(
    ("key", "text", "values"),
    [
        ("student.learning_rate", "1e-3,9e-4", ["1e-3", "9e-4"]),
        ("seed", "1..3,7", ["1", "2", "3", "7"]),
        ("student.heights", "[1,2],[3]", ["[1,2]", "[3]"]),
        ("student.loss", "bce,gbce", ["bce", "gbce"]),
        ("student", "sasrec,gru4rec", ["sasrec", "gru4rec"]),
        ("data.name", "Crouching Tiger, Hidden Dragon", ["Crouching Tiger, Hidden Dragon"]),
        ("data.name", "(a,b)", ["a", "b"]),
        ("student.heights", "3,4", ["3,4"]),  # not sound: no sweep
        ("unknown", "3,4", ["3,4"]),
    ],
)
def test_commas_and_dots_expand(form, key, text, values):
    form.changes[key] = text
    assert form.values(key) == values


def test_a_sweep_is_the_product_of_its_values(form):
    form.change("student.learning_rate", "1e-3,9e-4")
    form.change("seed", "1..3")
    assert form.count == 6 and form.sweeps == {"student.learning_rate": ["1e-3", "9e-4"], "seed": ["1", "2", "3"]}
    assert next(iter(form.grid())) == {"student.learning_rate": "1e-3", "seed": "1"}


def test_a_value_typed_back_is_no_change_and_undo_goes_back(form):
    form.change("student.hidden", "128")
    form.change("student.hidden", "64")
    assert not form.changes
    assert form.undo() and form.changes == {"student.hidden": "128"}
    assert form.undo() and not form.changes and not form.undo()


def test_an_unknown_key_says_what_was_meant(form):
    form.changes["student.hiden"] = "1"
    assert form.fault("student.hiden") == "unknown setting: did you mean student.hidden?"
    assert "student.hiden" in form.shown_settings()


def test_the_command_names_preset_choices_settings_and_label_in_that_order(form):
    form.preset, form.experiment, form.again = "demo", "tails", True
    form.change("student.hidden", "128")
    form.change("student", "gru4rec")
    assert form.arguments(form.changes) == [
        *("run", "evaluate", "experiment=demo", "student=gru4rec", "student.hidden=128"),
        *("--experiment", "tails", "--again"),
    ]


def test_only_settings_of_stages_that_may_run_are_shown(form):
    form.target = "student"
    assert "teacher.lora.rank" not in form.shown_settings() and "student.learning_rate" in form.shown_settings()
    assert form.shown_settings(find="width") == ["student.hidden"]
    form.change("seed", "4")
    assert form.shown_settings(changed_only=True) == ["seed"]


def test_a_run_is_turned_into_the_changes_that_repeat_it(form):
    config = {"seed": 3, "student.hidden": 64, "student.learning_rate": 9e-4, "data.name": "demo", "gone.key": 1}
    assert changes_from(form.settings, config) == {"seed": "3", "student.learning_rate": "0.0009"}


def test_the_stages_of_a_target_come_makers_first():
    assert Form("student").stages == ["data", "student"]
    assert Form("evaluate").stages[0] == "data" and Form("evaluate").stages[-1] == "evaluate"


def test_a_sweep_that_is_too_large_is_no_command(form):
    form.change("seed", "1..100")
    form.change("student.hidden", "8..200")
    assert form.count == 19_300 and form.command == ["run", "evaluate"]
    form.change("student.hidden", "8")
    assert form.command == ["sweep", "evaluate", "seed=1..100", "student.hidden=8"]


def test_the_start_of_the_cockpit_loads_neither_settings_nor_answers():
    code = "import sys, cockpit.app, cockpit.screens.runs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "cockpit.app" in loaded.split() and {"engine.config", "engine.wire", "yaml"} & {*loaded.split()} == set()


def test_the_epochs_of_a_sweep_are_their_mean():
    form = Form()
    form.load({"settings": [{"key": "student.epochs", "value": 8}, {"key": "distill.student.epochs", "value": 4}]})
    assert (form.epochs("student"), form.epochs("distill"), form.epochs("data")) == (8.0, 4.0, None)
    form.change("student.epochs", "2,4")
    assert form.epochs("student") == 3.0
