"""The help page holds every key of the table."""

import pytest

from cockpit.keys import TABLE
from cockpit.render.lines import plain

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
def test_it_opens_over_any_screen_and_goes_back(desk, ready, world, press, snapshot, size):
    press(ready(desk), "2", "question_mark")
    snapshot(f"help-{size[0]}x{size[1]}", plain(desk.draw(*size)))
    press(desk, "q")
    assert desk.screen.name == "live"


def test_every_action_of_the_table_stands_there(desk, press):
    page = plain(desk.screens["help"].lines())
    assert all(key.help in page for key in TABLE)


def test_it_scrolls_to_its_end(desk, ready, press):
    press(ready(desk), "question_mark", "G")
    assert "never stops a run" in plain(desk.draw(80, 24))
    press(desk, "g", "j", "k", "ctrl+d", "ctrl+u")
    assert "Runs (1)" in plain(desk.draw(80, 24))
