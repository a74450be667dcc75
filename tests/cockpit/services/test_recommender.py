"""The cockpit's end of ``engine serve-local``: real processes."""

import asyncio
import os
from pathlib import Path

from cockpit.services.recommender import RecommenderProcess, Reply
from engine.wire import HeldOutRow, Recommendations, plain, read


def alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until(condition, seconds=60.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def test_questions_are_answered_and_better_answers_follow(seven_stages):
    server = RecommenderProcess("evaluate", seven_stages)
    about = await server.ask("about")
    assert about.result["rows"] == 60 and not about.more
    titles, later = [one["title"] for one in (await server.ask("recommend", row=0)).result["history"]], []
    found = await server.ask("search", text=titles[0], count=1)
    assert found.result["items"][0]["title"] == titles[0]
    first = await server.ask("recommend", later.append, history=titles[:2])
    assert first.more and first.result["columns"][1]["state"] == "loading"
    await until(lambda: later and not later[-1].more)
    assert later[-1].result["columns"][1]["state"] == "ready"
    for reply in (first, *later):
        overlap = [tuple(one) for one in reply.result["overlap"]]
        assert plain(read(Recommendations, reply.result)) == {**reply.result, "overlap": overlap}
    rows = (await server.ask("people", text="", count=2, order="gained")).result["people"]
    assert [plain(read(HeldOutRow, one)) for one in rows] == rows and rows[0]["ranks"]
    wrong = await server.ask("recommend", row=-1)
    assert "no row -1" in wrong.error and "Rows are 0 to 59" in wrong.error
    process = server._process.pid
    server.close()
    await until(lambda: not alive(process))
    assert await server.ask("about") == Reply(error="closed")
    await server._reading


async def test_a_run_that_cannot_be_served_says_why_to_everybody_who_waits(seven_stages):
    server = RecommenderProcess("data", seven_stages)
    replies = await asyncio.gather(server.ask("about"), server.ask("search", text="x"))
    assert all("a data run has no recommender" in reply.error for reply in replies)
    assert "no recommender" in server.ended
    await server._reading


async def test_a_server_that_is_killed_is_shown_of(seven_stages):
    server = RecommenderProcess("evaluate", seven_stages)
    await server.ask("about")
    os.kill(server._process.pid, 9)
    await until(lambda: server.ended)
    assert "ended with status -9" in (await server.ask("about")).error
    await server._reading


async def test_closing_before_the_start_starts_nothing_that_stays(seven_stages):
    server = RecommenderProcess("evaluate", seven_stages)
    asking = asyncio.create_task(server.ask("about"))
    await asyncio.sleep(0)
    server.close()
    assert (await asking).error == "closed"
    await server._reading
    assert not alive(server._process.pid)
