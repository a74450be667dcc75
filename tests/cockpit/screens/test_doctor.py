"""The doctor's page: what was found, the gravest first, with cause and remedy."""

import pytest

from cockpit.compose import draw
from cockpit.render.lines import plain, width
from cockpit.services.engine import CommandResult

SIZES = [(80, 24), (120, 40), (200, 60)]
FAULTS = {
    "sound": False,
    "seconds": 41.0,
    "checks": [
        {"check": "no-leak", "about": "data", "verdict": "pass", "evidence": "no test row in training"},
        {
            "check": "student-gradients",
            "about": "student",
            "verdict": "warn",
            "evidence": "the output's gradient is 3e-9",
            "cause": "saturated",
            "remedy": "start smaller",
        },
        {
            "check": "ids",
            "about": "data",
            "verdict": "fail",
            "evidence": "item 1 is treated as padding in 412 of 1,200 histories " + "and so on " * 12,
            "cause": "the reader counts from zero",
            "remedy": "number items from one, padding is zero",
        },
    ],
}


@pytest.fixture
def examined(context, ready, world, press):
    """The page while engine doctor is running at a run."""
    context.ask.answers["doctor"] = CommandResult(2, FAULTS, "")
    ready(context).list.go_to(world["student"])
    press(context, "D")
    return context


@pytest.mark.parametrize("size", SIZES)
async def test_findings_are_shown_with_cause_and_remedy(examined, snapshot, monkeypatch, size):
    assert "engine doctor is running" in plain(draw(examined, *size))
    await examined.effects.run_pending()
    examined.screens["doctor"].took = 41.0
    lines = draw(examined, *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"doctor-{size[0]}x{size[1]}", plain(lines))


async def test_the_run_is_named_and_can_be_looked_at_again(examined, world, press):
    await examined.effects.run_pending()
    assert examined.ask.asked[-1] == ["doctor", world["student"], "--lines"] and examined.row.id == world["student"]
    assert "the doctor objects: ids" in examined.message[0]
    press(examined, "D", "D")
    assert "running already" in examined.message[0]
    await examined.effects.run_pending()
    assert examined.ask.asked.count(["doctor", world["student"], "--lines"]) == 2
    press(examined, "escape")
    assert examined.screen.name == "runs"


async def test_a_doctor_that_cannot_look_says_why(context, ready, world, press):
    context.ask.answers["doctor"] = CommandResult(2, None, "error: the run's settings cannot be read")
    ready(context).list.go_to(world["data"])
    press(context, "D")
    await context.effects.run_pending()
    assert "the run's settings cannot be read" in plain(draw(context, 80, 24))


def test_before_anything_was_examined_the_page_says_so(context, press):
    context.show("doctor")
    assert "nothing was examined yet" in plain(draw(context, 80, 24))
    press(context, "D")
    assert "nothing was examined yet" in context.message[0]


@pytest.mark.parametrize("value", [None, [], {"checks": 3}, {"checks": [3, {}, {"verdict": "new", "check": None}]}])
async def test_an_answer_of_another_shape_is_an_error_and_not_a_verdict(context, ready, world, press, value):
    context.ask.answers["doctor"] = CommandResult(0, value, "")
    ready(context).list.go_to(world["data"])
    press(context, "D")
    await context.effects.run_pending()
    text = plain(draw(context, 80, 24))
    assert "engine ended with status 0" in text and "sound" not in text


async def test_a_verdict_that_this_cockpit_does_not_know_is_shown_as_it_is(context, ready, world, press):
    checks = [{"check": "ids", "about": "data", "verdict": "new", "evidence": "seen"}]
    context.ask.answers["doctor"] = CommandResult(0, {"sound": True, "seconds": 1.0, "checks": checks}, "")
    ready(context).list.go_to(world["data"])
    press(context, "D")
    await context.effects.run_pending()
    assert "? new  ids" in plain(draw(context, 80, 24))


async def test_checks_are_shown_as_they_end(context, ready, world, press):
    seen = []

    class Lines(list):
        def __iter__(self):
            for line in list.__iter__(self):
                yield line
                assert context.screen.poll()
                seen.append(plain(draw(context, 80, 24)))

    first, second = FAULTS["checks"][0], FAULTS["checks"][2]
    context.ask.lines = Lines(
        [
            {"done": 0, "total": 3, "now": "no-leak", "found": None},
            {"done": 1, "total": 3, "now": "", "found": first},
            {"done": 1, "total": 3, "now": "dry run of data"},
            {"done": 2, "total": 3, "now": "", "found": second},
            {"done": 2, "total": 3, "now": "ids"},
        ]
    )
    context.ask.answers["doctor"] = CommandResult(2, FAULTS, "")
    ready(context).list.go_to(world["student"])
    press(context, "D")
    await context.effects.run_pending()
    assert "now   no-leak" in seen[0] and "0 of 3 checks" in seen[0]
    assert "pass  no-leak" in seen[1] and "now   dry run of data" in seen[2]
    assert seen[3].index("FAIL  ids") < seen[3].index("pass  no-leak") and "2 of 3 checks" in seen[3]
    final = plain(draw(context, 80, 24))
    assert "NOT SOUND: 1 of 3" in final and "now " not in final
