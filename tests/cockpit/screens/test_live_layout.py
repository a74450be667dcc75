"""The layout of the Live screen at all sizes."""

from itertools import product

import numpy as np
import pytest

from cockpit.screens.live_layout import HEALTH, LOG, SYSTEM, arrange, panes

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (100, 30), (159, 50), (160, 45), (200, 60)])
@pytest.mark.parametrize("gates", [False, True])
@pytest.mark.parametrize("grads", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 8])
@pytest.mark.parametrize("empty", [(), (LOG,), (HEALTH,), (LOG, HEALTH)])
def test_the_panes_fill_the_screen_and_the_focused_one_is_among_them(size, gates, grads, count, empty):
    charts = [f"m{i}" for i in range(count)]
    for focus, side in product(panes(charts, gates, grads, empty), (True, False)):
        shown = arrange(*size, charts, gates=gates, grads=grads, side=side, focus=focus, empty=empty)
        covered = np.zeros(size, int)
        for pane in shown:
            assert pane.x >= 0 and pane.y >= 0
            covered[pane.x : pane.x + pane.across, pane.y : pane.y + pane.down] += 1
        assert (covered == 1).all() and sum(pane.across * pane.down for pane in shown) == covered.size
        assert focus in [pane.name for pane in shown]


@pytest.mark.parametrize("size", SIZES)
def test_empty_panes_give_their_room_away(size):
    charts = ["loss", "val_loss"]
    many = {"gates": False, "grads": False, "side": True, "focus": "loss"}
    with_all = {pane.name: pane for pane in arrange(*size, charts, **many)}
    without = {pane.name: pane for pane in arrange(*size, charts, **many, empty=(LOG, HEALTH))}
    assert {LOG, HEALTH} <= set(with_all) and not {LOG, HEALTH} & set(without)
    assert without["loss"].down > with_all["loss"].down or without[SYSTEM].across > with_all[SYSTEM].across
    assert LOG not in panes(charts, False, False, (LOG,))
    only_health = [pane.name for pane in arrange(*size, [], **{**many, "focus": HEALTH}, empty=(LOG,))]
    assert HEALTH in only_health and LOG not in only_health


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("grads", [False, True])
def test_devices_stand_under_the_curves_in_the_room_of_a_silent_console(size, grads):
    charts = ["loss", "val_loss"]
    many = {"gates": False, "grads": grads, "side": True, "focus": "loss", "devices": True}
    shown = {pane.name: pane for pane in arrange(*size, charts, **many, empty=(LOG,))}
    assert shown[SYSTEM].y >= shown["loss"].y + shown["loss"].down and LOG not in shown
    assert LOG in {pane.name for pane in arrange(*size, charts, **many)}
    covered = sum(pane.across * pane.down for pane in shown.values())
    assert covered == size[0] * size[1]
