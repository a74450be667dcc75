"""Stopping and resuming runs through ``engine``, with a confirmation for several."""

import asyncio

from cockpit.compose import draw
from cockpit.render.lines import plain
from cockpit.services import engine
from cockpit.services.engine import CommandResult

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


def test_deleting_names_the_space_it_frees_and_takes_a_typed_yes(context, ready, world, press):
    ready(context).list.go_to(world["killed"])
    (context.root / world["killed"] / "artifacts").mkdir(exist_ok=True)
    (context.root / world["killed"] / "artifacts" / "big").write_bytes(b"x" * 3_000_000)
    press(context, "d", '"yes"')
    assert "frees 2.8" in plain(draw(context, 120, 40)) or "frees 2.9" in plain(draw(context, 120, 40))
    press(context, "escape")
    assert context.effects.work == []
    press(context, "d", '"no"', "enter")
    assert context.prompt is not None and context.effects.work == []
    press(context, "ctrl+u", '"yes"', "enter")
    asyncio.run(context.effects.run_pending())
    assert context.ask.asked[-1] == ["rm", world["killed"]] and "deleted: 2." in context.message[0]


def test_runs_at_work_and_inputs_of_others_are_not_deleted(context, ready, world, press):
    ready(context).list.go_to(world["live"])
    press(context, "d")
    assert context.prompt is None and "is at work" in context.message[0]
    context.list.go_to(world["student"])
    press(context, "d")
    assert context.prompt is None and "is needed by teacher" in context.message[0]


def test_a_refused_deletion_is_shown_and_a_whole_one_is_real(context, ready, world, press, maker):
    context.ask.answers["rm"] = CommandResult(2, None, "error: the disk is read-only")
    ready(context).list.go_to(world["lost"])
    press(context, "d", '"yes"', "enter")
    asyncio.run(context.effects.run_pending())
    assert "the disk is read-only" in context.message[0]
    context.ask = engine.ask
    context.list.mark(world["lost"])
    context.list.mark(world["killed"])
    press(context, "d", '"yes"', "enter")
    asyncio.run(context.effects.run_pending())
    assert not (maker.root / world["lost"]).exists() and not (maker.root / world["killed"]).exists()
    assert world["lost"] not in ready(context).list.rows and context.list.marks == []


def test_a_cockpit_that_only_reads_deletes_nothing(opened, ready, world, press):
    context = ready(opened(read_only=True))
    context.list.go_to(world["killed"])
    press(context, "d")
    assert context.prompt is None and "--read-only" in context.message[0]
