"""Completion of titles and users: only results for the current text count."""

from cockpit.services.completion import Completion
from cockpit.services.recommender import Reply


class Server:
    """Answers each request with the next of its replies; ``before`` runs while a request is under way."""

    def __init__(self, *replies, before=None):
        self.replies, self.before, self.asked = list(replies), before, []

    async def ask(self, method, **options):
        self.asked.append((method, options))
        if self.before:
            await self.before()
        return self.replies.pop(0)


def titles(*names):
    return Reply({"items": [{"item": n, "raw": str(n), "title": name} for n, name in enumerate(names)]})


async def test_results_belong_to_the_text_that_was_searched():
    completion = Completion(users=False)
    await completion.find(Server(titles("Alien", "Aliens")), "al")
    completion.choose("down")
    assert completion.chosen("al").title == "Aliens" and completion.chosen("ali") is None
    assert completion.lines == ["Alien", "Aliens"]


async def test_an_answer_to_an_older_text_is_dropped():
    completion = Completion(users=False)

    async def newer():
        server.before = None
        await completion.find(Server(titles("Heat")), "heat")

    server = Server(titles("Alien"), before=newer)
    await completion.find(server, "al")
    assert completion.lines == ["Heat"] and completion.found_for == "heat"


async def test_the_cursor_stops_at_both_ends():
    completion = Completion(users=False)
    await completion.find(Server(titles("Alien", "Aliens")), "al")
    completion.choose("up")
    assert completion.cursor == 0
    completion.choose("pagedown")
    assert completion.cursor == 1


async def test_why_there_is_nothing_to_choose_is_named():
    completion = Completion(users=False)
    assert not completion.begun
    await completion.find(Server(titles()), "zz")
    assert completion.begun and completion.state == "no match"
    await completion.find(Server(Reply(error="out of memory")), "zz")
    assert completion.state == "out of memory"
    await completion.find(Server(Reply({"items": [{"title": 3}]})), "zz")
    assert "cannot be read" in completion.state


async def test_users_are_requested_in_the_order_that_was_chosen():
    server = Server(Reply({"people": []}))
    await Completion(users=True, order="gained").find(server, "")
    method, options = server.asked[0]
    assert method == "people" and options["order"] == "gained" and options["text"] == ""
