"""The state of the recommend screen, with a server that answers at once."""

import pytest

from cockpit.services.recommend import RecommendSession
from cockpit.services.recommender import Reply
from engine.wire import HeldOutRow, ItemNames, ModelList, Recommendations, plain


class Server:
    """Three held-out rows; in the order "gained" the last one comes first."""

    def __init__(self, run, root):
        self.run, self.ended, self.sent, self.replies = run, "", [], []

    async def ask(self, method, later=None, **request):
        self.sent.append((method, request))
        if method == "about":
            return Reply({"rows": 3})
        if method == "people":
            row = 2 - request["start"] if request["order"] == "gained" else request["start"]
            return Reply({"people": [plain(HeldOutRow(row, "u", 1, {}))], "total": 3})
        if self.replies:
            return self.replies.pop()
        lists = [ModelList("student", "student-1", "ready" if later is None else "loading")]
        return Reply(plain(Recommendations([ItemNames(7, "r7", "Se\x1b[31mven")], "u", None, lists, [])), more=True)

    def close(self):
        self.ended = "closed"


@pytest.fixture
def session(tmp_path):
    session = RecommendSession(tmp_path, Server, lambda work: pending.append(work))
    pending = session.pending = []
    return session


async def settled(session):
    while session.pending:
        await session.pending.pop(0)
    return session


async def test_a_run_opens_at_its_first_row_and_steps_go_around(session):
    session.open("evaluate-1")
    assert session.loading and (await settled(session)).about == {"rows": 3}
    assert session.row == 0 and session.history[0].title == "Seven" and session.loading
    for row in (2, 1, 0):
        session.step(-1)
        assert (await settled(session)).row == row


async def test_another_order_starts_at_its_own_first_row(session):
    session.open("evaluate-1")
    await settled(session)
    session.choose_order("gained")
    assert (await settled(session)).row == 2
    session.step(1)
    assert (await settled(session)).row == 1


async def test_a_typed_history_is_sent_by_item_ids_and_a_step_returns_to_the_row(session):
    session.open("evaluate-1")
    await settled(session)
    session.choose_history([ItemNames(7, "r7", "Seven")])
    await settled(session)
    assert session.server.sent[-1][1]["history"] == [7] and session.row is None
    session.step(1)
    assert (await settled(session)).row == 0
    session.choose_history([])
    assert session.answer is None and not session.loading


async def test_an_answer_to_an_older_request_is_dropped(session):
    session.open("evaluate-1")
    await settled(session)
    session.choose_row(1)
    older = session.pending.pop()
    session.choose_row(2)
    await settled(session)
    session.server.replies = [Reply(error="too late")]
    await older
    assert session.trouble == "" and session.answer is not None


async def test_errors_and_answers_of_another_form_are_the_trouble(session):
    session.open("evaluate-1")
    await settled(session)
    for reply, trouble in ((Reply(error="no row"), "no row"), (Reply({"history": 3}), "cannot be read")):
        session.server.replies = [reply]
        session.ask()
        assert trouble in (await settled(session)).trouble and session.changed


async def test_a_server_that_ended_is_replaced_at_the_next_request(session):
    session.open("evaluate-1")
    await settled(session)
    first = session.server
    first.ended = "killed"
    session.ask()
    await settled(session)
    assert session.server is not first and session.server.run == "evaluate-1"
    session.close()
    assert session.server.ended == "closed"


async def test_the_data_decide_about_seen_items_until_a_person_does(session):
    session.open("evaluate-1")
    await settled(session)
    assert session.server.sent[-1][1]["hide_seen"] is None and not session.shows_seen
    session.about["hide_seen"] = False  # users of these data take items again
    assert session.shows_seen
    session.seen = False
    session.ask()
    await settled(session)
    assert session.server.sent[-1][1]["hide_seen"] is True and not session.shows_seen
