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
