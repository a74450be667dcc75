"""The comparison behind screen 3: one process at a time, and only the newest request counts."""

import asyncio

import pytest

from cockpit.services.comparing import Comparing
from cockpit.services.engine import CommandResult
from engine.wire import Comparison, plain

EMPTY = Comparison([], [], None, [], [], [], [], [])


class Engine:
    """Answers ``engine compare`` with the verdict that names its arguments."""

    def __init__(self):
        self.asked, self.work, self.known, self.during = [], [], [], None

    async def ask(self, arguments, root):
        self.asked.append(arguments[1:])
        self.known.append(self.comparing.answer)
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
def comparing(engine, tmp_path):
    engine.comparing = Comparing(tmp_path, engine.ask, engine.work.append)
    return engine.comparing


async def test_the_same_groups_are_compared_once_until_their_facts_change_or_again(comparing, engine):
    for facts in (1, 1, 2):
        comparing.want(["a", "b"], facts)
        await engine.done()
    comparing.again()
    comparing.want(["a", "b"], 2)
    await engine.done()
    assert engine.asked == [["a", "b"]] * 3
    assert comparing.known_for(["a", "b"]).verdict == ["compare a b"] and comparing.known_for(["a"]) is None


async def test_a_request_that_changes_while_it_runs_is_sent_again_and_its_answer_discarded(comparing, engine):
    engine.during = lambda: comparing.want(["c", "d"], 1)
    comparing.want(["a", "b"], 1)
    assert comparing.busy
    await engine.done()
    assert engine.asked == [["a", "b"], ["c", "d"]] and not comparing.busy
    assert engine.known == [None, None]  # the first answer was not shown while the second request ran
    assert comparing.known_for(["a", "b"]) is None and comparing.known_for(["c", "d"]) is not None


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
    comparing = Comparing(tmp_path, ask, work.append)
    comparing.want(["a", "b"], 1)
    await asyncio.gather(*work)
    assert trouble in comparing.trouble and comparing.known_for(["a", "b"]) is None
