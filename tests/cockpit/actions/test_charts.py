"""The view of the charts: cursor, range of the x axis, smoothing, axes."""

from cockpit.compose import draw
from cockpit.render.lines import plain

SIZES = [(80, 24), (120, 40), (200, 60)]


def test_the_metric_of_the_preview_and_its_view_can_be_chosen(context, ready, world, press):
    ready(context).list.go_to(world["student"])
    ready(context)
    press(context, "m", '"loss"', "enter", "s", "o", "X")
    text = plain(draw(context, 80, 24))
    assert "  loss" in text and "ema .6" in text and "  log" in text and "epoch" in text


def test_the_cursor_reads_values(live, press):
    live.view.cursor = 0.3
    assert "@120" in plain(draw(live, 200, 60)).split("loss")[1]


def test_the_x_axis_is_looked_at_closely_and_given_back_layer_by_layer(live, press):
    press(live, "minus")
    assert "the whole x axis is shown" in live.message[0]
    press(live, "h", "plus", "plus")
    text = plain(draw(live, 200, 60))
    assert ".25 of x" in text and "@120" in text.split("loss")[1]
    left = live.view.left
    press(live, "greater_than_sign")
    assert live.view.left > left
    press(live, "escape")
    assert live.view.cursor is None and live.view.part
    press(live, "escape")
    assert not live.view.part and live.screen.name == "live"
    press(live, "plus", "0")
    assert not live.view.part


def test_another_run_is_shown_whole(live, press):
    press(live, "plus", "k")
    assert not live.view.part
