"""The form knows what may be typed, what a sweep expands to, and which command it makes."""

import pytest

from cockpit.models.form import Form, FormField, changes_from, check, split, stages_for

HIDDEN = FormField("student.hidden", 64, "int", "model width", low=8, high=512)
RATE = FormField("student.lr", 1e-3, "float", "learning rate", above=0)


@pytest.fixture
def form():
    from_engine = {
        "groups": {"student": {"choice": "sasrec", "choices": ["sasrec", "gru4rec"]}},
        "settings": [
            {"key": "seed", "value": 0, "type": "int", "low": 0},
            {"key": "student.hidden", "value": 64, "type": "int", "low": 8, "high": 512, "help": "model width"},
            {"key": "student.lr", "value": 1e-3, "type": "float", "above": 0},
            {"key": "data.name", "value": "demo", "type": "str"},
            {"key": "teacher.rank", "value": 8, "type": "int"},
        ],
        "experiments": ["demo"],
    }
    form = Form()
    form.load(from_engine)
    return form


@pytest.mark.parametrize(
    ("setting", "text", "fault"),
    [
        (HIDDEN, "128", ""),
        (HIDDEN, "4", "must be int ≥ 8 ≤ 512"),
        (HIDDEN, "sixty", "not 'sixty'"),
        (HIDDEN, "64.5", "whole number"),
        (HIDDEN, "", "needs a value"),
        (HIDDEN, "null", "must be"),
        (HIDDEN, "inf", "must be"),
        (RATE, "0", "must be float > 0"),
        (RATE, "nan", "must be"),
        (RATE, "9e-4", ""),
        (FormField("a", "ce", "str", choices=("ce", "bce")), "bec", "did you mean bce?"),
        (FormField("a", True, "bool"), "yes", "true or false"),
        (FormField("a", None, "int | None", low=1), "null", ""),
        (FormField("a", None, "int | None", low=1), "0", "must be"),
        (FormField("a", [1, 2], "list[int]", low=1), "[3,4]", ""),
        (FormField("a", [1, 2], "list[int]", low=1), "[3,0]", "must be"),
        (FormField("a", "x", "str"), "", ""),
    ],
)
def test_a_value_is_held_against_type_limits_and_choices(setting, text, fault):
    found = check(setting, text)
    assert (fault in found) if fault else found == ""


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("1e-3,9e-4", "float", ["1e-3", "9e-4"]),
        ("1..3", "int", ["1", "2", "3"]),
        ("1..3,7", "int", ["1", "2", "3", "7"]),
        ("[1,2],[3]", "list[int]", ["[1,2]", "[3]"]),
        ("Crouching Tiger, Hidden Dragon", "str", ["Crouching Tiger, Hidden Dragon"]),
        ("(a,b)", "str", ["a", "b"]),
        ("64", "int", ["64"]),
    ],
)
def test_commas_and_dots_expand(text, kind, values):
    assert split(text, kind) == values


def test_a_sweep_is_the_product_of_its_values(form):
    form.change("student.lr", "1e-3,9e-4")
    form.change("seed", "1..3")
    assert form.count == 6 and form.sweeps == {"student.lr": ["1e-3", "9e-4"], "seed": ["1", "2", "3"]}
    assert next(iter(form.grid())) == {"student.lr": "1e-3", "seed": "1"}


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
    assert "teacher.rank" not in form.shown_settings() and "student.lr" in form.shown_settings()
    assert form.shown_settings(find="width") == ["student.hidden"]
    form.change("seed", "4")
    assert form.shown_settings(changed_only=True) == ["seed"]


def test_a_run_is_turned_into_the_changes_that_repeat_it(form):
    config = {"seed": 3, "student.hidden": 64, "student.lr": 9e-4, "data.name": "demo", "gone.key": 1}
    assert changes_from(form.settings, config) == {"seed": "3", "student.lr": "0.0009"}


def test_the_stages_of_a_target_come_makers_first():
    assert stages_for("student") == ["data", "student"]
    assert stages_for("evaluate")[0] == "data" and stages_for("evaluate")[-1] == "evaluate"
