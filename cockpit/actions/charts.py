"""The view of all charts: smoothing, axes, the range of the x axis, the cursor."""

from cockpit.context import Context
from cockpit.models.chart import WEIGHTS
from cockpit.models.series import AXES


def do_smooth(context: Context) -> None:
    index = WEIGHTS.index(context.view.smoothing) if context.view.smoothing in WEIGHTS else 0
    context.view.smoothing = WEIGHTS[(index + 1) % len(WEIGHTS)]
    context.notify(f"smoothing {context.view.smoothing:g}" if context.view.smoothing else "no smoothing")


def do_log_scale(context: Context) -> None:
    context.view.log = not context.view.log
    context.notify("logarithmic y axis" if context.view.log else "linear y axis")


def do_axis(context: Context) -> None:
    context.view.axis = AXES[(AXES.index(context.view.axis) + 1) % len(AXES)]
    context.view.cursor = None
    context.notify(f"x axis: {context.view.axis}")


def do_left(context: Context) -> None:
    _move_cursor(context, -0.02)


def do_right(context: Context) -> None:
    _move_cursor(context, 0.02)


def _move_cursor(context: Context, by: float) -> None:
    context.view.cursor = min(max((0.5 if context.view.cursor is None else context.view.cursor) + by, 0.0), 1.0)


def do_closer(context: Context) -> None:
    context.view.zoom(0.5)
    _report_range(context)


def do_farther(context: Context) -> None:
    context.view.zoom(2.0)
    _report_range(context)


def do_pan_left(context: Context) -> None:
    context.view.pan(-0.5)
    _report_range(context)


def do_pan_right(context: Context) -> None:
    context.view.pan(0.5)
    _report_range(context)


def _report_range(context: Context) -> None:
    """Also at an end, where nothing moves."""
    context.notify(f"x axis: {context.view.left:.0%} to {context.view.right:.0%} of its length")


def do_whole(context: Context) -> None:
    context.view.whole()


def why_not_whole(context: Context) -> str:
    return "" if context.view.part else "the whole x axis is shown: + zooms in"


why_not_pan_left = why_not_pan_right = why_not_farther = why_not_whole
