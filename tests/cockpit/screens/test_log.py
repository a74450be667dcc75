"""The console on the whole screen."""

import pytest

from cockpit.compose import draw
from cockpit.render.lines import plain

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
def log(context, ready, maker, press):
    """The console of a run that printed two hundred lines."""
    folder = maker.ended(maker.planned())
    lines = [f"12:00:{i % 60:02} step {i} loss {2 - i / 200:.3f}" for i in range(200)]
    lines[50], lines[120] = "WARNING: slow loader", "ValueError: broken [/] \x1b]0;PWNED\x07pipe"
    maker.console(folder, "\n".join(lines) + "\n")
    press(ready(context), "L")
    draw(context, 80, 24)
    context.watch._console_read = 0
    return ready(context)


@pytest.mark.parametrize("size", SIZES)
def test_it_follows_the_end(log, snapshot, size):
    snapshot(f"log-{size[0]}x{size[1]}", plain(draw(log, *size)))


def current(log):
    """The line of the current match."""
    return next(plain([line]) for line in draw(log, 80, 24) if any(style == "select" for _, style in line))


def test_search_goes_up_from_the_end_and_round(log, press):
    press(log, "slash", '"loader"', "enter")
    assert "WARNING: slow loader" in plain(draw(log, 80, 24))
    press(log, "slash", "ctrl+u", '"step 19"', "enter")
    assert " step 190 " in current(log)
    press(log, "n", "n", "N")
    assert " step 191 " in current(log)
    press(log, "N", "N")
    assert " step 19 " in current(log)
    press(log, "N")
    assert " step 199 " in current(log)


def test_what_is_not_there_is_reported(log, press):
    press(log, "slash", '"unicorn"', "enter")
    assert "'unicorn' does not occur" in log.message[0]


def test_only_errors_and_warnings(log, press):
    press(log, "E")
    text = plain(draw(log, 80, 24))
    assert "WARNING: slow loader" in text and "ValueError: broken [/] pipe" in text and "step 3 " not in text
    assert "PWNED" not in text


def test_scrolling_ends_following_and_the_end_takes_it_up_again(log, press):
    press(log, "k")
    assert not log.screen.following
    press(log, "g")
    assert "step 0 " in plain(draw(log, 80, 24))
    press(log, "ctrl+d", "j")
    assert "step 0 " not in plain(draw(log, 80, 24))
    press(log, "G")
    assert log.screen.following and "step 199" in plain(draw(log, 80, 24))


def test_next_without_a_search_says_what_to_do(log, press):
    press(log, "n")
    assert "search with / first" in log.message[0]


def test_a_run_that_printed_nothing_says_so(context, ready, maker, press):
    maker.planned()
    press(ready(context), "L")
    assert "nothing printed yet" in plain(draw(context, 80, 24))
