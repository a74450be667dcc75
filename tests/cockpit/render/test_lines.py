"""Cutting, padding, framing and stacking styled text."""

from hypothesis import given
from hypothesis import strategies as st

from cockpit.render.lines import beside, block, box, ends, fit, overlay, plain, width

texts = st.text(alphabet="ab 日本é⣿", max_size=12)
lines = st.lists(st.tuples(texts, st.sampled_from(["", "dim"])), max_size=4)


@given(lines, st.integers(0, 30))
def test_a_fitted_line_has_exactly_its_width(line, size):
    assert width(fit(line, size)) == size


@given(lines, lines, st.integers(0, 3), st.integers(0, 25))
def test_laying_one_line_on_another_keeps_the_width(under, over, top, left):
    out = overlay(block([under] * 3, 20, 3), [over], top, left)
    assert all(width(line) == 20 for line in out)


def test_an_overlay_hides_only_what_is_below_it():
    assert plain(overlay([[("abcdefgh", "")]], [[("XY", "bold")]], 0, 3)) == "abcXYfgh"
    assert plain(overlay([[("a日本b", "")]], [[("XY", "")]], 0, 2)) == "a XY b"


def test_a_box_holds_its_lines():
    assert (
        plain(box([("t", "title")], [[("hello", "")]], 12, 4))
        == "╭─ t ──────╮\n│hello     │\n│          │\n╰──────────╯"
    )


def test_blocks_stand_side_by_side():
    assert plain(beside([block([[("a", "")]], 2, 1), block([[("b", "")]], 2, 1)])) == "a b"


def test_the_right_end_of_a_line_stays_and_what_gives_way_to_it_is_marked():
    assert plain([ends([("left text", "")], [("R", "")], 6)]) == "lef… R"
    assert plain([ends([("left", "")], [("R", "")], 6)]) == "left R"
