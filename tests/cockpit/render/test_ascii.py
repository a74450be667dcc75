"""Screens for terminals and locales that have nothing but ASCII."""

import pytest

from cockpit.compose import draw
from cockpit.panes.run_table import STATES
from cockpit.render.ascii import in_ascii
from cockpit.render.lines import plain, width


@pytest.mark.parametrize("screen", ["runs", "live", "compare", "queue", "system", "launch", "log", "help"])
def test_every_screen_is_drawn_in_ascii_cell_for_cell(context, ready, world, screen):
    ready(context).list.go_to(world["live"])
    context.settings.symbols = context.view.symbols = "ascii"
    context.show(screen)
    ready(context)
    for size in ((80, 24), (200, 60)):
        lines = draw(context, *size)
        assert plain(lines).isascii() and all(width(line) == size[0] for line in lines)
        assert "?" not in plain(lines).replace("? help", "").replace("? LOST", "")[:400]


def test_states_stay_apart_and_other_characters_keep_their_width():
    glyphs = [plain(in_ascii([[(glyph, "")]])) for glyph, _, _ in STATES.values()]
    assert len(set(glyphs)) == len(glyphs)
    assert plain(in_ascii([[("映画 é", "")]])) == "???? ?"


def test_signs_of_results_and_boards_stay_apart():
    assert plain(in_ascii([[("▲▼★▴▾├●┤┊", "")]])) == "^v*^v+*+:"
