"""Stopping and resuming runs through ``engine``, with a confirmation for several."""

from cockpit.compose import draw
from cockpit.render.lines import plain

SIZES = [(80, 24), (120, 40), (200, 60)]


async def test_stopping_offers_three_ways_and_runs_engine(context, ready, world, press):
    ready(context).list.go_to(world["live"])
    press(context, "x")
    assert "after evaluation" in plain(draw(context, 80, 24))
    press(context, "enter")
    await context.effects.run_pending()
    assert context.ask.asked[-1] == ["stop", world["live"], "--after-evaluation"]


async def test_stopping_several_runs_needs_a_typed_yes(context, ready, world, press):
    ready(context).list.marks = [world["live"], world["queued"], world["student"]]
    press(context, "x", "down", "down", "enter")
    assert not context.effects.work and "stop 2 runs" in plain(draw(context, 80, 24))
    press(context, '"yes"', "enter")
    await context.effects.run_pending()
    assert [words[0:1] + words[2:] for words in context.ask.asked] == [["stop", "--kill"]] * 2


async def test_resuming_runs_engine_and_a_refusal_is_shown(context, ready, world, press):
    from cockpit.services.engine import CommandResult

    ready(context).list.go_to(world["stopped"])
    context.ask.answers["resume"] = CommandResult(2, None, "error: the disk is full")
    press(context, "R")
    await context.effects.run_pending()
    assert context.ask.asked[-1] == ["resume", world["stopped"], "--detach"]
    assert "the disk is full" in plain(draw(context, 80, 24))
