"""How all charts are looked at: smoothing, axes, the part of the x axis, the cursor."""

from typing import TYPE_CHECKING

from cockpit.models.series import AXES
from cockpit.panes.chart import WEIGHTS

if TYPE_CHECKING:
    from cockpit.context import Desk


def do_smooth(desk: "Desk") -> None:
    place = WEIGHTS.index(desk.view.smoothing) if desk.view.smoothing in WEIGHTS else 0
    desk.view.smoothing = WEIGHTS[(place + 1) % len(WEIGHTS)]
    desk.say(f"smoothing {desk.view.smoothing:g}" if desk.view.smoothing else "no smoothing")


def do_log_scale(desk: "Desk") -> None:
    desk.view.log = not desk.view.log
    desk.say("logarithmic y axis" if desk.view.log else "linear y axis")


def do_axis(desk: "Desk") -> None:
    desk.view.axis = AXES[(AXES.index(desk.view.axis) + 1) % len(AXES)]
    desk.view.cursor = None
    desk.say(f"x axis: {desk.view.axis}")


def do_left(desk: "Desk") -> None:
    _move_cursor(desk, -0.02)


def do_right(desk: "Desk") -> None:
    _move_cursor(desk, 0.02)


def _move_cursor(desk: "Desk", by: float) -> None:
    desk.view.cursor = min(max((0.5 if desk.view.cursor is None else desk.view.cursor) + by, 0.0), 1.0)


def do_closer(desk: "Desk") -> None:
    desk.view.zoom(0.5)


def do_farther(desk: "Desk") -> None:
    desk.view.zoom(2.0)


def do_pan_left(desk: "Desk") -> None:
    desk.view.pan(-0.5)


def do_pan_right(desk: "Desk") -> None:
    desk.view.pan(0.5)


def do_whole(desk: "Desk") -> None:
    desk.view.whole()


def why_not_whole(desk: "Desk") -> str:
    return "" if desk.view.part else "the whole x axis is shown: + goes closer"


why_not_pan_left = why_not_pan_right = why_not_farther = why_not_whole
