"""The answer behind a screen: one process at a time, and only the newest request counts."""

import asyncio

import pytest

from cockpit.services.answers import EngineAnswer
from cockpit.services.engine import CommandResult
from engine.wire import Comparison, plain

EMPTY = Comparison([], [], None, [], [], [], [], [])


class Engine:
    """Answers ``engine compare`` with the verdict that names its arguments."""

    def __init__(self):
        self.asked, self.work, self.known, self.during = [], [], [], None

    async def ask(self, arguments, root):
        self.asked.append(arguments)
        self.known.append(self.answer.answer)
        during, self.during = self.during, None
        if during:
            during()
        return CommandResult(0, {**plain(EMPTY), "verdict": [" ".join(arguments)]}, "")

    async def done(self):
        while self.work:
            await self.work.pop()


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def answer(engine, tmp_path):
    engine.answer = EngineAnswer(Comparison, tmp_path, engine.ask, engine.work.append)
    return engine.answer


async def test_the_same_command_is_run_once_until_their_facts_change_or_again(answer, engine):
    for facts in (1, 1, 2):
        answer.want(["compare", "a"], facts)
        await engine.done()
    answer.again()
    answer.want(["compare", "a"], 2)
    await engine.done()
    assert engine.asked == [["compare", "a"]] * 3
    assert answer.known_for(["compare", "a"]).verdict == ["compare a"] and answer.known_for(["compare"]) is None


async def test_a_request_that_changes_while_it_runs_is_sent_again_and_its_answer_discarded(answer, engine):
    engine.during = lambda: answer.want(["compare", "c"], 1)
    answer.want(["compare", "a"], 1)
    assert answer.busy
    await engine.done()
    assert engine.asked == [["compare", "a"], ["compare", "c"]] and not answer.busy
    assert engine.known == [None, None]  # the first answer was not shown while the second request ran
    assert answer.known_for(["compare", "a"]) is None and answer.known_for(["compare", "c"]) is not None


@pytest.mark.parametrize(
    ("result", "trouble"),
    [
        (CommandResult(2, None, "error: no such run"), "no such run"),
        (CommandResult(0, {"groups": 3}, ""), "cannot be read: Comparison.groups cannot be 3"),
    ],
)
async def test_an_error_or_an_answer_of_another_form_is_the_trouble(tmp_path, result, trouble):
    async def ask(arguments, root):
        return result

    work = []
    answer = EngineAnswer(Comparison, tmp_path, ask, work.append)
    answer.want(["compare", "a"], 1)
    await asyncio.gather(*work)
    assert trouble in answer.trouble and answer.known_for(["compare", "a"]) is None
