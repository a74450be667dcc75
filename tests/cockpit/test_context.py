"""The state behind the screens: their stack, messages and warnings."""

import asyncio

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


def test_an_end_is_shown_announced_and_given_to_the_command(context, ready, world, maker):
    context.settings.notify, context.settings.notify_command = "osc9", ["/no/such/command"]
    ready(context)
    maker.ended(maker.root / world["live"], reason="", wall=61.0)
    ready(context)
    assert "DONE in 1:01" in context.message[0] and context.message[1] == "ok"
    ((kind, text),) = context.effects.announced
    assert kind == "osc9" and text == context.message[0]
    asyncio.run(context.effects.run_pending())
    assert "notify_command failed: /no/such/command: No such file" in context.message[0]


def test_which_ends_are_announced_is_a_setting(context, ready, world, maker):
    context.settings.notify_of = "failures"
    ready(context)
    maker.ended(maker.root / world["live"])
    ready(context)
    assert "DONE" in context.message[0] and context.effects.announced == []
    maker.ended(maker.root / world["queued"], 1, reason="broken")
    ready(context)
    assert [kind for kind, _ in context.effects.announced] == ["bell"]
    context.settings.notify_of = "experiments"
    maker.ended(maker.root / world["waiting"], 1, reason="broken")
    ready(context)
    assert len(context.effects.announced) == 1
