"""The form: what it asks engine, what it lets through, which command it shows."""

import pytest

from cockpit.compose import draw
from cockpit.render.lines import plain, width
from cockpit.services.engine import CommandResult

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
async def form(context, ready, press, all_built):
    """The form, open and filled."""
    press(ready(context), "a")
    await context.effects.run_pending()
    return context


def to(context, key):
    """Put the cursor on a setting."""
    context.screens["launch"].focus = "form"
    context.screens["launch"].cursors["form"].line = context.screens["launch"].shown_keys().index(key)


@pytest.mark.parametrize("size", SIZES)
async def test_it_shows_stages_settings_and_what_would_happen(form, press, snapshot, size):
    form.screens["launch"].planning.root = type(form.root)("runs")
    to(form, "student.learning_rate")
    press(form, "enter", "ctrl+u", '"1e-3,9e-4"', "enter")
    await form.effects.run_pending()
    lines = draw(form, *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"launch-{size[0]}x{size[1]}", plain(lines))


async def test_a_change_is_marked_planned_anew_and_in_the_command(form, press):
    to(form, "student.hidden")
    press(form, "enter", "ctrl+u", '"128"', "enter")
    await form.effects.run_pending()
    assert form.ask.asked[-1] == ["run", "evaluate", "student.hidden=128", "--plan"]
    text = plain(draw(form, 120, 40))
    assert "*128   was 64" in text and "$ engine run evaluate student.hidden=128" in text


async def test_a_wrong_value_is_refused_while_it_is_typed(form, press):
    to(form, "student.hidden")
    press(form, "enter", "ctrl+u", '"0"', "enter")
    assert form.prompt is not None and "0 is not allowed: int ≥ 1 ≤ 4096" in plain(draw(form, 80, 24))
    press(form, "escape")
    assert not form.screens["launch"].form.changes


async def test_choices_are_chosen_from_a_list(form, press):
    to(form, "student.loss")
    press(form, "enter", "down", "enter")
    assert form.screens["launch"].form.changes == {"student.loss": "sampled-softmax"}


async def test_another_file_of_a_group_brings_its_own_values(form, press):
    to(form, "student")
    press(form, "enter", "down", "enter")
    await form.effects.run_pending()
    assert ["config", "student=gru4rec"] in form.ask.asked
    assert form.screens["launch"].form.arguments(form.screens["launch"].form.changes)[2] == "student=gru4rec"


async def test_undo_reset_find_and_changed_only(form, press):
    to(form, "seed")
    press(form, "enter", "ctrl+u", '"5"', "enter", "d")
    assert form.screens["launch"].shown_keys() == ["seed"]
    press(form, "d", "slash", '"step size"', "enter")
    assert form.screens["launch"].shown_keys() == ["student.learning_rate"]
    press(form, "slash", "ctrl+u", "enter")
    to(form, "seed")
    press(form, "backspace")
    assert not form.screens["launch"].form.changes
    press(form, "u")
    assert form.screens["launch"].form.changes == {"seed": "5"}


async def test_starting_runs_engine_and_goes_back_to_the_list(form, press):
    press(form, "ctrl+r")
    await form.effects.run_pending()
    assert form.ask.asked[-1] == ["run", "evaluate", "--detach"] and form.screen.name == "runs"
    assert "closing the cockpit does not stop them" in form.message[0]


async def test_a_sweep_is_one_command_with_its_combinations_shown(form, press):
    to(form, "seed")
    press(form, "enter", "ctrl+u", '"1..3"', "enter")
    await form.effects.run_pending()
    assert form.ask.asked[-1] == ["sweep", "evaluate", "seed=1..3", "--plan"]
    text = plain(draw(form, 120, 40))
    assert "3 seed = 3 combinations" in text and "runs: 2 student" in text and "seed=3" in text
    press(form, "v")
    assert "seed=2" in plain(draw(form, 80, 24))
    press(form, "escape", "ctrl+r")
    await form.effects.run_pending()
    assert form.ask.asked[-1] == ["sweep", "evaluate", "seed=1..3", "--detach"]
    assert form.screens["live"].run == "student-20260921-133320-0002" and form.screen.name == "runs"


async def test_what_engine_refuses_is_shown_in_the_form(form, press):
    to(form, "seed")
    press(form, "enter", "ctrl+u", '"1..3"', "enter")
    await form.effects.run_pending()
    form.ask.answers["sweep evaluate seed=1..3"] = CommandResult(2, None, "error: no space left\nMake room.")
    press(form, "ctrl+r")
    await form.effects.run_pending()
    assert sum("--detach" in words for words in form.ask.asked) == 1
    assert "no space left" in plain(draw(form, 80, 24)) and form.screen.name == "launch"


async def test_a_stage_becomes_the_target(form, press):
    press(form, "tab", "g", "j", "space")
    await form.effects.run_pending()
    assert form.screens["launch"].form.target == "student" and form.ask.asked[-1][:2] == ["run", "student"]


async def test_a_run_is_repeated_with_its_settings(context, ready, maker, press, all_built):
    run = maker.ended(maker.planned(seed=2, config={"hidden": 64, "learning_rate": 9e-4}))
    ready(context).list.go_to(run.name)
    press(context, "r")
    await context.effects.run_pending()
    assert context.screens["launch"].form.target == "student"
    assert context.screens["launch"].form.changes == {"seed": "2", "student.learning_rate": "0.0009"}


async def test_what_was_typed_is_still_there_when_one_comes_back(form, press):
    to(form, "seed")
    press(form, "enter", "ctrl+u", '"5"', "enter", "escape", "a")
    await form.effects.run_pending()
    assert form.screens["launch"].form.changes == {"seed": "5"}


async def test_a_preset_starts_the_form_anew(form, press):
    to(form, "seed")
    press(form, "enter", "ctrl+u", '"5"', "enter", "p", '"ml"', "enter")
    await form.effects.run_pending()
    assert form.screens["launch"].form.preset == "ml-100k" and not form.screens["launch"].form.changes
    assert ["config", "experiment=ml-100k"] in form.ask.asked


async def test_the_doctor_may_forbid_the_start_and_says_why(form, press):
    check = {"check": "ids", "about": "data", "verdict": "fail", "evidence": "shifted by one"}
    checks = [{**check, "cause": "a reader", "remedy": "mend"}]
    form.ask.answers["doctor"] = CommandResult(2, {"sound": False, "seconds": 3.0, "checks": checks}, "")
    press(form, "c", '"before the start: are"', "enter", "ctrl+r")
    await form.effects.run_pending()
    assert form.ask.asked[-1] == ["doctor", "evaluate"]
    assert "not started: the doctor objects: ids" in form.message[0]
    text = plain(draw(form, 120, 40))
    assert form.screen.name == "doctor" and "✗ FAIL  ids" in text and "shifted by one" in text
    press(form, "escape")
    assert form.screen.name == "launch" and "the doctor objects: ids" in plain(draw(form, 120, 40))


async def test_one_batch_may_be_tried_before_the_start(form, press):
    press(form, "c", '"learnt by heart"', "enter")
    to(form, "seed")
    press(form, "enter", "ctrl+u", '"5"', "enter", "ctrl+r")
    await form.effects.run_pending()
    assert ["doctor", "evaluate", "seed=5", "--only", "overfits"] in form.ask.asked
    assert form.ask.asked[-1] == ["run", "evaluate", "seed=5", "--detach"] and form.screen.name == "runs"


async def test_what_the_form_says_is_examined_without_starting_it(form, press):
    to(form, "seed")
    press(form, "enter", "ctrl+u", '"5"', "enter", "D")
    assert "engine doctor is running" in plain(draw(form, 80, 24))
    await form.effects.run_pending()
    assert form.ask.asked[-1] == ["doctor", "evaluate", "seed=5", "--lines"]
    assert "✓ sound" in plain(draw(form, 80, 24)) and "no check failed" in form.message[0]


async def test_settings_that_cannot_be_read_are_explained(context, ready, press):
    context.ask.answers["config"] = CommandResult(2, None, "error: conf/ is not there\nReinstall.")
    press(ready(context), "a")
    await context.effects.run_pending()
    assert "conf/ is not there" in plain(draw(context, 80, 24))
    press(context, "ctrl+r")
    assert "conf/ is not there" in context.message[0]


async def test_the_command_is_copied(form, press):
    press(form, "y")
    assert form.effects.copied[0].startswith("engine run evaluate --runs ")


async def test_too_many_runs_are_not_started(form, press):
    form.screens["launch"].form.changes = {"seed": "1..100", "student.hidden": "8..200"}
    press(form, "ctrl+r")
    assert "too many" in form.message[0] and "19,300 runs" in plain(draw(form, 120, 40))


async def test_changed_settings_are_saved_as_an_experiment_and_gone_on_from(form, press):
    press(form, "S")
    assert "nothing was changed" in form.message[0]
    to(form, "student.hidden")
    press(form, "enter", "ctrl+u", '"128"', "enter", "S", '"demo"', "enter")
    assert "is the name of a built-in experiment" in plain(draw(form, 80, 24))
    press(form, "ctrl+u", '"wide"', "enter")
    await form.effects.run_pending()
    assert ["config", "student.hidden=128", "--save", "wide"] in form.ask.asked
    assert form.screens["launch"].form.preset == "wide" and not form.screens["launch"].form.changes
    assert form.ask.asked[-1] == ["run", "evaluate", "experiment=wide", "--plan"]


async def test_what_cannot_be_saved_says_why(form, press):
    to(form, "seed")
    press(form, "enter", "ctrl+u", '"1,2"', "enter", "S")
    assert "remove the sweep first" in form.message[0]
    press(form, "enter", "ctrl+u", '"5"', "enter")
    form.ask.answers["config seed=5 --save"] = CommandResult(2, None, "error: No space left on device")
    press(form, "S", '"mine"', "enter")
    await form.effects.run_pending()
    assert "not saved: No space left" in form.message[0] and form.screens["launch"].form.changes == {"seed": "5"}


async def test_the_cost_is_estimated_from_earlier_runs(context, ready, world, press, all_built):
    press(ready(context), "a")
    await context.effects.run_pending()
    assert "about 1:01 of work" in plain(draw(context, 120, 40)) and "by 2 earlier runs" in plain(
        draw(context, 120, 40)
    )


async def test_a_stage_that_never_ran_is_named_as_unknown(form):
    assert "no earlier run tells of student" in plain(draw(form, 120, 40))


async def test_a_list_of_fixed_choices_is_edited_with_boxes_or_as_text(form, press):
    launch = form.screens["launch"]
    to(form, "evaluate.models")
    press(form, "enter")
    assert "[✓] student" in plain(draw(form, 80, 24)) and "[ ] popularity" in plain(draw(form, 80, 24))
    press(form, '"popul"', "enter", '"student"', "enter", "escape")
    assert launch.form.changes == {"evaluate.models": "[popularity]"} and not launch.form.faults
    press(form, "enter", '"as text"', "enter", "ctrl+u", '"[student],[popularity]"', "enter")
    assert launch.form.count == 2
    press(form, "enter", '"as text"', "enter", "ctrl+u", '"[studnt]"', "enter")
    assert form.prompt is not None and "studnt" in form.prompt.fault


async def test_what_hides_settings_is_dropped_by_escape_and_by_the_next_form(form, press):
    press(form, "slash", '"no such thing"', "enter")
    assert "no setting fits: esc shows all" in plain(draw(form, 80, 24))
    press(form, "escape")
    assert form.screen.name == "launch" and len(form.screens["launch"].shown_keys()) > 5
    press(form, "slash", '"no such thing"', "enter", "1", "a")
    await form.effects.run_pending()
    assert len(form.screens["launch"].shown_keys()) > 5


async def test_the_cursor_goes_to_the_run_that_was_started(form, press, ready, maker):
    ready(form)
    form.list.placed = True
    press(form, "ctrl+r")
    await form.effects.run_pending()
    maker.planned(name="student-20260921-133320-0002")
    assert ready(form).list.current.id == "student-20260921-133320-0002"
