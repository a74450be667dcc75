"""The cell diff shows what a full render shows, with fewer bytes."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from cockpit.render.cell_diff import FrontBuffer

CONSOLE = Console(force_terminal=True, color_system="256", width=20)
RED, PLAIN = Style.parse("color(203)"), Style()
WIDTH, HEIGHT = 20, 4


class Terminal:
    """As much of a terminal as the two ways of writing use: cursor positions, styles, wide characters, line feeds."""

    def __init__(self):
        self.cells = [[(" ", "")] * WIDTH for _ in range(HEIGHT)]
        self.style = ""

    def feed(self, text):
        row = column = 0
        for token in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.", text, re.DOTALL):
            if token.endswith("H") and token.startswith("\x1b"):
                row, column = (int(part) - 1 for part in token[2:-1].split(";"))
            elif token.endswith("m") and token.startswith("\x1b"):
                code = token[2:-1].removeprefix("0;")
                self.style = "" if code in ("", "0") else code
            elif token == "\n":
                row, column = row + 1, 0
            else:
                for offset in range(cell_len(token)):
                    self.cells[row][column + offset] = (token if not offset else "", self.style)
                column += cell_len(token)


def layout(rows):
    return LayoutUpdate([[strip] for strip in rows], Region(0, 0, WIDTH, HEIGHT))


def strips(screen):
    """A screen is a list of rows, each a list of (text, red); cut and padded to the width."""
    return [
        Strip([Segment(text, RED if red else PLAIN) for text, red in row]).adjust_cell_length(WIDTH) for row in screen
    ]


texts = st.text(alphabet="ab─⣿ 日é", min_size=0, max_size=9)
screens = st.lists(st.lists(st.tuples(texts, st.booleans()), min_size=1, max_size=4), min_size=HEIGHT, max_size=HEIGHT)


@settings(max_examples=150, deadline=None)
@given(st.lists(screens, min_size=1, max_size=5))
def test_a_patched_terminal_shows_what_a_full_render_shows(frames):
    front, patched = FrontBuffer(WIDTH, HEIGHT), Terminal()
    for screen in frames:
        update = layout(strips(screen))
        patched.feed(front.patch(update, CONSOLE))
        full = Terminal()
        full.feed(update.render_segments(CONSOLE))
        assert patched.cells == full.cells


@settings(max_examples=50, deadline=None)
@given(screens, screens, st.integers(0, WIDTH - 1), st.integers(1, WIDTH))
def test_dirty_spans_are_patched_like_full_rows(before, after, left, size):
    front, terminal = FrontBuffer(WIDTH, HEIGHT), Terminal()
    terminal.feed(front.patch(layout(strips(before)), CONSOLE))
    rows = strips(after)
    update = ChopsUpdate([{0: strip} for strip in rows], [(y, 0, WIDTH) for y in range(HEIGHT)], [[WIDTH]] * HEIGHT)
    terminal.feed(front.patch(update, CONSOLE))
    full = Terminal()
    full.feed(layout(rows).render_segments(CONSOLE))
    assert terminal.cells == full.cells


def test_nothing_changed_sends_nothing():
    front = FrontBuffer(WIDTH, HEIGHT)
    screen = strips([[("same", True)]] * HEIGHT)
    front.patch(layout(screen), CONSOLE)
    assert front.patch(layout(screen), CONSOLE) == ""


def test_one_changed_cell_sends_one_cell():
    front = FrontBuffer(WIDTH, HEIGHT)
    front.patch(layout(strips([[("a" * 20, False)]] * HEIGHT)), CONSOLE)
    rows = [[("a" * 20, False)]] * (HEIGHT - 1) + [[("a" * 19 + "b", False)]]
    assert front.patch(layout(strips(rows)), CONSOLE) == "\x1b[4;20H\x1b[mb"
