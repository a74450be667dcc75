"""The state behind the screens: their stack, messages and warnings."""

from cockpit.context import MESSAGE_SECONDS

SIZES = [(80, 24), (120, 40), (200, 60)]


def test_a_run_that_turns_bad_is_announced_once(context, ready, world, maker, press):
    ready(context)
    maker.ended(maker.root / world["live"], 1, reason="CUDA error")
    ready(context)
    assert "FAILED CUDA error" in context.message[0]
    press(context, "exclamation_mark")
    assert context.screen.name == "live" and context.screens["live"].run == world["live"]


def test_main_screens_close_others_and_keep_the_way_back_to_where_they_were_opened(context, press):
    for name in ("live", "log", "doctor", "doctor"):
        context.show(name)
    assert context.stack == ["runs", "live", "log", "doctor"]
    context.show("queue")
    assert context.stack == ["runs", "live", "queue"]
    press(context, "escape")
    assert context.screen.name == "live"
    for name in ("compare", "queue", "compare"):
        context.show(name)
    assert context.stack == ["runs", "live", "compare"]
    context.show("runs")
    assert context.stack == ["runs"]


def test_a_message_expires_after_some_seconds(opened):
    now = [1000.0]
    context = opened(clock=lambda: now[0])
    context.notify("saved")
    context.tick()
    now[0] += MESSAGE_SECONDS - 1
    context.tick()
    assert context.message[0] == "saved"
    now[0] += 2
    assert context.tick() and not context.message[0]


def test_closing_closes_every_screen_that_was_opened(context):
    closed = []
    for name in ("help", "recommend"):
        context.screens[name].close = lambda name=name: closed.append(name)
    context.close()
    assert closed == ["help", "recommend"]
