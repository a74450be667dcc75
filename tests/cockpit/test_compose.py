"""All lines of the terminal: top line, screen, messages, bottom line."""

import pytest

from cockpit.compose import draw
from cockpit.keys import FOOTER, SCREENS, TABLE
from cockpit.prompts import MenuItem
from cockpit.render.lines import plain, width


def test_the_bottom_line_names_only_keys_of_its_screen():
    for name in SCREENS:
        assert set(FOOTER[name]) <= {key.action for key in TABLE if name in key.where}


@pytest.mark.parametrize("across", [60, 80, 120, 200])
def test_the_bottom_line_always_ends_with_the_way_to_all_others(context, ready, world, across):
    ready(context)
    line = plain(draw(context, across, 24)).splitlines()[-1]
    assert line.endswith(": commands  ? help") and len(line) <= across


WITHOUT_RUNS = {
    "runs": "No runs in",
    "live": "no runs yet: a launches one",
    "board": "no experiment yet",
    "result": "no evaluation yet: a launches one",
    "models": "open an evaluation first",
    "compare": "there are no runs yet: a launches one",
    "queue": "no run has asked for a slot yet",
    "system": "disk  runs 0B",
    "recommend": "t types titles",
    "launch": "settings",
    "log": "nothing printed yet",
    "doctor": "nothing was examined yet",
    "config": "no run is shown",
    "help": "Runs (1)",
}


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_without_any_run_says_so(context, ready, name):
    ready(context)
    context.stack = ["runs", name]
    ready(context)
    assert WITHOUT_RUNS[name] in plain(draw(context, 80, 24))


def test_a_hint_that_does_not_fit_beside_its_prompt_has_a_line_of_its_own(context, ready, world):
    ready(context)
    hint = "a hint that says at some length what the text is for, and what else could be typed"
    context.open_prompt("save as experiment", "mine", lambda text: None, hint=hint)
    for size in ((80, 24), (120, 40)):
        lines = draw(context, *size)
        text = plain(lines)
        assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
        assert "save as experiment: mine" in text and hint in " ".join(text.split())


def test_a_long_message_wraps_instead_of_being_cut(context, ready, world):
    ready(context).notify("not started: " + "word " * 30 + "end")
    text = plain(draw(context, 80, 24))
    assert "end" in text and len(text.splitlines()) == 24


def test_the_help_of_a_menu_line_is_shown_whole_below_the_list(context, ready, world):
    ready(context).open_menu("checks", [MenuItem("doctor", "before the start: " + "words " * 18 + "end", "a")], print)
    assert "words end" in " ".join(plain(draw(context, 80, 24)).replace("│", " ").split())


def test_the_bottom_line_gives_the_position_among_the_panes(live, press):
    assert "tab pane 1/" in plain(draw(live, 80, 24))
    press(live, "tab")
    assert "tab pane 2/" in plain(draw(live, 80, 24))
