"""A line of text under the fingers."""

from hypothesis import given
from hypothesis import strategies as st

from cockpit.models.line_edit import LineEdit


def typed(*keys, text=""):
    edit = LineEdit(text)
    for key in keys:
        edit.key(key, key if len(key) == 1 else None)
    return edit


def test_letters_go_in_at_the_cursor():
    assert typed("home", "x", text="ab").text == "xab"
    assert typed("left", "x", text="ab").text == "axb"


def test_the_shell_keys_delete_what_they_delete_in_a_shell():
    assert typed("backspace", text="ab").text == "a"
    assert typed("home", "delete", text="ab").text == "b"
    assert typed("ctrl+w", text="one two").text == "one "
    assert typed("left", "ctrl+u", text="abc").text == "c"
    assert typed("left", "ctrl+k", text="abc").text == "ab"


def test_a_paste_is_one_clean_line():
    edit = LineEdit()
    edit.insert("a\x1b]52;c;aGk=\x07b\nc\x9b2J")
    assert edit.text == "ab c"


@given(st.lists(st.sampled_from(["a", "é", "left", "right", "backspace", "delete", "home", "end", "ctrl+w", "ctrl+u"])))
def test_the_cursor_never_leaves_the_text(keys):
    edit = typed(*keys, text="some text")
    assert 0 <= edit.cursor <= len(edit.text)
