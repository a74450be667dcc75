"""The layout of the Live screen at all sizes."""

from itertools import product

import numpy as np
import pytest

from cockpit.screens.live_layout import arrange, panes

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (100, 30), (159, 50), (160, 45), (200, 60)])
@pytest.mark.parametrize("gates", [False, True])
@pytest.mark.parametrize("grads", [False, True])
@pytest.mark.parametrize("count", [1, 2, 8])
def test_the_panes_fill_the_screen_and_the_focused_one_is_among_them(size, gates, grads, count):
    charts = [f"m{i}" for i in range(count)]
    for focus, side in product(panes(charts, gates, grads), (True, False)):
        shown = arrange(*size, charts, gates=gates, grads=grads, side=side, focus=focus)
        covered = np.zeros(size, int)
        for pane in shown:
            assert pane.x >= 0 and pane.y >= 0
            covered[pane.x : pane.x + pane.across, pane.y : pane.y + pane.down] += 1
        assert (covered == 1).all() and sum(pane.across * pane.down for pane in shown) == covered.size
        assert focus in [pane.name for pane in shown]
