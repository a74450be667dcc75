"""A form and the answers of ``engine``: one plan at a time, stale answers dropped, refusals kept."""

import asyncio

import pytest

from cockpit.services.engine import CommandResult
from cockpit.services.planning import DOCTOR, Planning

CONFIG = {"groups": {}, "settings": [{"key": "seed", "value": 0}], "experiments": [], "saved": []}


class Engine:
    """Answers when it is released, in the order of the requests."""

    def __init__(self):
        self.asked, self.results = [], {}

    async def __call__(self, arguments, runs=None):
        self.asked.append(arguments)
        await asyncio.sleep(0)
        result = self.results.get(arguments[0]) or self.results.get(arguments[-1])
        return result or CommandResult(0, CONFIG if arguments[0] == "config" else {"steps": []}, "")


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
async def planning(engine, tmp_path):
    """A form that is loaded and planned."""
    tasks = []
    one = Planning(tmp_path, engine, lambda work: tasks.append(asyncio.ensure_future(work)))

    async def finish():
        while tasks:
            await tasks.pop(0)

    one.finish = finish
    one.open()
    await finish()
    return one


async def test_a_change_during_a_plan_is_planned_once_more_and_not_for_each_change(planning, engine):
    before = len(engine.asked)
    for seed in ("1", "2", "3"):
        planning.change("seed", seed)
    await planning.finish()
    plans = [arguments for arguments in engine.asked[before:] if "--plan" in arguments]
    assert len(plans) <= 2 and plans[-1] == ["run", "evaluate", "seed=3", "--plan"] and not planning.busy


async def test_new_runs_are_counted_over_all_combinations(planning, engine):
    steps = [{"stage": "data", "action": "reuse"}, {"stage": "student", "action": "new"}]
    engine.results["--plan"] = CommandResult(0, {"combinations": [{"steps": steps}, {"steps": steps}]}, "")
    planning.change("seed", "1,2")
    await planning.finish()
    assert planning.new == {"student": 2} and planning.steps == steps


async def test_an_error_of_engine_is_kept_until_the_next_plan(planning, engine):
    engine.results["--plan"] = CommandResult(2, None, "error: no such data")
    planning.refresh()
    await planning.finish()
    assert planning.trouble == "no such data"
    engine.results.clear()
    planning.refresh()
    await planning.finish()
    assert planning.trouble == ""


async def test_a_refusal_of_the_doctor_prevents_the_start(planning, engine):
    planning.toggle(DOCTOR)
    await planning.finish()
    engine.results["doctor"] = CommandResult(2, None, "error: cannot be read")
    assert await planning.start() is None
    assert planning.objection is not None and "cannot be read" in planning.trouble
    assert not any("--detach" in arguments for arguments in engine.asked)


async def test_a_start_returns_the_runs_that_were_made(planning, engine):
    engine.results["--detach"] = CommandResult(0, {"runs": {"data": "data-1", "student": "student-1"}}, "")
    assert await planning.start() == ["data-1", "student-1"]
