"""Lines as a picture: every sign is drawn or written in its own cell."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.render.svg import HIGH, WIDE, svg
from cockpit.theme import palette

NAMES = sorted(palette(256))
SPACE = "{http://www.w3.org/2000/svg}"


def parts(lines, title="title", colours=256):
    return ElementTree.fromstring(svg(lines, palette(colours), title))


def texts(root):
    return [node.text for node in root.iter(f"{SPACE}text")]


def test_text_is_written_at_its_cell_with_the_width_of_its_cells():
    root = parts([[("ab ", ""), ("<c> & d", "bad")]])
    assert texts(root) == ["title", "ab", "<c>", "&", "d"]
    node = list(root.iter(f"{SPACE}text"))[2]
    assert float(node.get("x")) == pytest.approx(3 * WIDE) and abs(float(node.get("textLength")) - 3 * WIDE) < 0.01
    assert node.get("font-weight") == "bold" and node.get("fill") != list(root.iter(f"{SPACE}text"))[1].get("fill")


def test_dots_of_a_curve_stand_in_their_cells():
    (path,) = parts([[("  \u2801\u28ff", "series0")]]).iter(f"{SPACE}path")
    points = re.findall(r"M([\d.]+) ([\d.]+)h0", path.get("d"))
    assert len(points) == 9
    assert len({x for x, _ in points[1:]}) == 2 and len({y for _, y in points[1:]}) == 4
    assert all(2 * WIDE < float(x) < 4 * WIDE and 2 * HIGH < float(y) < 3 * HIGH for x, y in points)
    assert [float(number) for number in points[0]] == pytest.approx([2.25 * WIDE, 2.125 * HIGH])


def test_blocks_shades_frames_and_selections_are_drawn():
    root = parts([[("▄▍▒", "run"), ("╭─╮│┊", "border"), ("x", "select")]])
    boxes = list(root.iter(f"{SPACE}rect"))[1:]
    assert [round(float(box.get("height")) / HIGH, 2) for box in boxes[:3]] == [0.5, 1.0, 1.0]
    assert round(float(boxes[1].get("width")) / WIDE, 3) == 0.375 and boxes[2].get("fill-opacity") == "0.5"
    assert len(boxes) == 4 and len(list(root.iter(f"{SPACE}path"))) == 2
    assert texts(root) == ["title", "x"]


def test_wide_characters_take_two_cells():
    nodes = list(parts([[("日本 x", "")]]).iter(f"{SPACE}text"))
    assert [node.text for node in nodes[1:]] == ["日本", "x"] and float(nodes[2].get("x")) == pytest.approx(5 * WIDE)


@given(
    st.lists(
        st.lists(st.tuples(st.text("abc <&>\"'█▒⠿─╭┤ é日", max_size=8), st.sampled_from(NAMES)), max_size=4), max_size=5
    ),
    st.sampled_from([256, 16, 0]),
)
def test_any_lines_make_a_well_formed_picture(lines, colours):
    root = parts(lines, "a <title> & more", colours)
    written = "".join(text for text in texts(root)[1:])
    wanted = "".join(c for line in lines for text, _ in line for c in text if c not in " █▒⠿─╭┤")
    assert written == wanted
