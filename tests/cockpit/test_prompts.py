"""A line that is typed, and a list to choose from."""

import pytest

from cockpit.models.line_edit import LineEdit
from cockpit.prompts import Menu, MenuItem, Prompt
from cockpit.render.lines import plain, width


def menu():
    items = [MenuItem("stop", "end the run", "x"), MenuItem("tags", "edit the tags; stop words", "t")]
    return Menu("commands", items, lambda value: None)


def test_typing_filters_by_every_word_and_puts_labels_first():
    one = menu()
    for letter in "stop":
        one.key(letter, letter)
    assert [item.label for item in one.shown] == ["stop", "tags"]
    for letter in " words":
        one.key(letter, letter)
    assert [item.label for item in one.shown] == ["tags"] and one.key("enter", None) == "t"


def test_the_cursor_of_a_menu_stops_at_both_ends():
    one = menu()
    one.key("up", None)
    assert one.cursor == 0
    one.key("pagedown", None)
    assert one.cursor == 1 and one.key("enter", None) == "t"


def test_without_a_match_nothing_is_chosen():
    one = menu()
    one.key("q", "q")
    assert one.key("enter", None) is None and "no match" in plain(one.draw(80, 20))


@pytest.mark.parametrize("across", [20, 40, 80])
@pytest.mark.parametrize("text", ["", "short", "x" * 200, "日本語" * 40])
def test_a_prompt_shows_the_text_around_the_cursor_in_its_width(across, text):
    prompt = Prompt("name", LineEdit(text), lambda text: None)
    line = prompt.draw(across)
    assert width(line) <= across
    assert plain([line]).rstrip().endswith(text[-1:])


def test_the_fault_of_a_prompt_is_that_of_its_check():
    prompt = Prompt("n", LineEdit("4"), lambda text: None, check=lambda text: "" if text == "5" else "not 5")
    assert prompt.fault == "not 5"
    prompt.edit.key("backspace", None)
    prompt.edit.key("5", "5")
    assert prompt.fault == ""
