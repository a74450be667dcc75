"""The help page holds every key of the table."""

import pytest

from cockpit.compose import draw
from cockpit.keys import TABLE
from cockpit.render.lines import plain

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
def test_it_opens_over_any_screen_and_goes_back(context, ready, world, press, snapshot, size):
    press(ready(context), "2", "question_mark")
    snapshot(f"help-{size[0]}x{size[1]}", plain(draw(context, *size)))
    press(context, "q")
    assert context.screen.name == "live"


def test_every_action_of_the_table_stands_there(context, press):
    page = plain(context.screens["help"].lines())
    assert all(key.help in page for key in TABLE)


def test_it_scrolls_to_its_end(context, ready, press):
    press(ready(context), "question_mark", "G")
    assert "never stops a run" in plain(draw(context, 80, 24))
    press(context, "g", "j", "k", "ctrl+d", "ctrl+u")
    assert "Runs (1)" in plain(draw(context, 80, 24))


def test_a_search_shows_the_lines_with_its_words_below_their_headings_and_escape_shows_all(context, ready, press):
    press(ready(context), "question_mark", "slash", '"x axis shift"', "enter")
    text = plain(draw(context, 80, 24))
    assert "Live (2)" in text and "shift the range of the x axis left" in text and "every action by name" not in text
    press(context, "slash", "ctrl+u", '"no such thing"')
    assert "nothing here has 'no such thing' in it" in plain(draw(context, 80, 24))
    press(context, "escape", "escape")
    assert context.screen.name == "help" and "Runs (1)" in plain(draw(context, 80, 24))
    press(context, "escape")
    assert context.screen.name == "runs"
