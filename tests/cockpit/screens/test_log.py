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


WIDE = "wide " + "x" * 300 + " END"


@pytest.fixture
def broken(context, ready, maker, until):
    """A failed run with two tracebacks, and another one."""
    folder = maker.ended(maker.planned("teacher"), 1, reason="ValueError: broken")
    trace = ["Traceback (most recent call last):", '  File "a.py", line 1, in f', "    work()", "ValueError: broken"]
    many = [f"step {n}" for n in range(300)]
    maker.console(folder, "\n".join([*many[:150], *trace[:3], "KeyError: first", *many[150:], *trace, WIDE]) + "\n")
    other = maker.ended(maker.planned("student"))
    maker.console(other, "alpha\nbeta\nERROR: gamma\n")
    ready(context).list.go_to(folder.name)
    return context


def read(context, until, size=(80, 24)):
    """The screen once the consoles were read."""
    draw(context, *size)
    context.watch._console_read = 0
    until(context, lambda: all(context.watch.console(run).complete for run in context.screen.consoles()))
    context.tick()
    return plain(draw(context, *size))


def test_from_a_failed_run_one_key_goes_to_its_error(broken, press, until):
    press(broken, "E")
    text = read(broken, until)
    assert broken.screen.name == "log" and not broken.screen.following
    assert "Traceback (most" in text and "ValueError: broken" in text and "KeyError" not in text
    assert current(broken).strip() == "ValueError: broken"


def test_a_console_without_an_error_says_how_the_run_ended(broken, ready, maker, press, until):
    folder = maker.ended(maker.planned(), None, signal=9, reason="out of memory")
    maker.console(folder, "a\nb\n")
    ready(broken).list.go_to(folder.name)
    press(broken, "E")
    read(broken, until)
    assert "no error in this console; the run is KILLED: out of memory" in broken.message[0]


def test_errors_only_keeps_tracebacks_whole(broken, press, until):
    press(broken, "L", "E")
    text = read(broken, until)
    assert text.count('File "a.py"') == 2 and "KeyError: first" in text and "step 7" not in text
    press(broken, "escape")
    assert broken.screen.name == "log" and "errors only" not in plain(draw(broken, 80, 24))


def test_long_lines_are_cut_scrolled_to_the_side_or_wrapped(broken, press, until):
    press(broken, "L")
    assert "END" not in read(broken, until) and "›" in plain(draw(broken, 80, 24))
    press(broken, *["l"] * 15)
    text = plain(draw(broken, 80, 24))
    assert "END" in text and "‹" in text and "from column 241" in plain(draw(broken, 120, 40))
    press(broken, *["l"] * 30)
    assert "no line is longer" in broken.message[0]
    press(broken, "w")
    text = plain(draw(broken, 80, 24))
    assert "END" in text and "wide x" in text and "›" not in text
    press(broken, "h")
    assert "w cuts them" in broken.message[0]
    press(broken, "k", "k", "k", "k", "k", "k")
    assert "END" not in plain(draw(broken, 80, 24)) and not broken.screen.following


def test_a_search_in_a_long_line_shows_the_match(broken, press, until):
    press(broken, "L")
    read(broken, until)
    press(broken, "slash", '"END"', "enter")
    assert "END" in plain(draw(broken, 80, 24))


def test_copying_takes_the_traceback_of_the_current_line_or_the_page(broken, press, until):
    press(broken, "E")
    read(broken, until)
    press(broken, "y")
    assert broken.effects.copied[-1].splitlines()[0].startswith("Traceback")
    assert broken.effects.copied[-1].splitlines()[-1] == "ValueError: broken" and "4 lines" in broken.message[0]
    press(broken, "escape", "L")
    broken.screen.view.match = -1
    press(broken, "g")
    draw(broken, 80, 24)
    press(broken, "y")
    assert broken.effects.copied[-1].splitlines() == [f"step {n}" for n in range(22)]


def test_every_run_keeps_its_own_place_and_search(broken, ready, press, until):
    press(broken, "L")
    read(broken, until)
    press(broken, "slash", '"step 10"', "enter")
    draw(broken, 80, 24)
    top = broken.screen.view.scroll.top
    press(broken, "1", "j", "L")
    assert "ERROR: gamma" in read(broken, until) and not broken.screen.view.search
    press(broken, "1", "k", "L")
    draw(broken, 80, 24)
    assert broken.screen.view.search == "step 10" and broken.screen.view.scroll.top == top


def test_the_ends_of_several_consoles_stand_below_each_other(broken, press, until):
    press(broken, "space", "space", "L")
    text = read(broken, until)
    assert "2 runs" in text and "ERROR: gamma" in text and "wide xxx" in text and "✗ FAILED" in text
    press(broken, "E")
    assert "alpha" not in plain(draw(broken, 80, 24)) and "ERROR: gamma" in plain(draw(broken, 80, 24))
    press(broken, "E", "tab", "enter")
    assert "alpha" in plain(draw(broken, 80, 24)) and "wide" not in plain(draw(broken, 80, 24))
    press(broken, "escape")
    assert "wide" in plain(draw(broken, 80, 24))
    press(broken, "escape")
    assert broken.screen.name == "runs"
