"""What models recommend, side by side: keys and pictures with a stand-in for the server, and once with the real one."""

import asyncio

import pytest

from cockpit.compose import draw
from cockpit.dispatch import click
from cockpit.render.lines import plain, width
from cockpit.services.recommender import Reply

SIZES = [(80, 24), (120, 40), (200, 60)]
FILMS = [
    "The Long Road to the Silver Harbour and Back Again",
    "Alien",
    "Aliens",
    "千と千尋の神隠し",
    "The Godfather",
    "Star Wars",
    "Amélie",
    "Brazil",
    "Heat",
    "Ran",
    "Fargo",
    "\x1b]0;PWNED\x07Jaws [/] \x1b[2J",
    "Metropolis",
    "Stalker",
    "Vertigo",
]
LISTS = {
    "student": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    "teacher": [2, 1, 11, 12, 3, 0, 14, 5, 6, 4],
    "distilled": [2, 3, 1, 12, 11, 4, 0, 7, 8, 5],
}


def names(number):
    return {"item": number, "raw": f"r{number}", "title": FILMS[number]}


class Server:
    """Stands in for ``engine serve-local``: remembers what it was asked, answers as the protocol says."""

    made = []

    def __init__(self, run, root):
        self.run, self.ended, self.asked, self.closed = run, "", [], False
        self.ready, self.later = True, None
        Server.made.append(self)

    async def ask(self, method, later=None, **more):
        self.asked.append((method, more))
        if self.ended:
            return Reply(error=self.ended)
        if method == "about":
            return Reply({"run": self.run, "data": "films", "split": "test", "items": len(FILMS), "rows": 3})
        if method == "search":
            wanted = more["text"].lower()
            return Reply({"items": [names(n) for n, film in enumerate(FILMS) if wanted in film.lower()], "ms": 1.0})
        if method == "people":
            users = [("ann", 3), ("bob", 5), ("cat", 1)]
            if more["order"] != "row" and self.run.startswith("student"):
                return Reply(error="only an evaluation knows who gained and who lost")
            ranks = {} if more["order"] == "row" else {"student": 1699.0, "distilled": 1.5}
            found = [(row, user, size) for row, (user, size) in enumerate(users) if more["text"] in user]
            people = [{"row": row, "user": user, "events": size, "ranks": ranks} for row, user, size in found]
            people = people if more["order"] == "row" else people[::-1]
            return Reply({"people": people[more.get("start", 0) :][: more["count"]], "total": len(people)})
        self.later = later
        return Reply(self.answer(more), more=not self.ready)

    def answer(self, more, live=False):
        row = more.get("row")
        known = names(3) if row is not None else None
        history = [names(n) for n in ([13, 14, row + 7] if row is not None else more["history"])]
        columns = []
        for model, listed in LISTS.items():
            items = [
                {"rank": k, **names(n), "score": 9.5 - k / 3, "next": n == 3 and row is not None}
                for k, n in enumerate(listed[: more["count"]], start=1)
            ]
            rank = listed.index(3) + 1.0 if 3 in listed and row is not None else None
            column = {"state": "ready", "note": "", "source": "", "items": items, "next_rank": rank, "gates": None}
            if model == "teacher":
                column |= {"source": "live" if row is None else "knowledge", "gates": [0.55, 0.25, 0.15, 0.05]}
                if row is None and not live:
                    column |= {"state": "loading", "note": "loading the language model", "items": [], "gates": None}
            columns.append({"model": model, "run": f"{model}-1", "ms": 1.25, **column})
        overlap = [["student", "teacher", 6], ["student", "distilled", 7], ["teacher", "distilled", 9]]
        return {"history": history, "user": "ann", "next": known, "columns": columns, "overlap": overlap}

    def close(self):
        self.closed, self.ended = True, "closed"


@pytest.fixture
def evaluated(maker):
    """A finished evaluation, under the cursor because it is the newest run, and a finished student."""
    evaluation = maker.ended(maker.planned("evaluate"))
    return evaluation, maker.ended(maker.planned())


@pytest.fixture
def recommend(context, ready, evaluated, press):
    """The screen with its first user, and the server behind it."""
    Server.made.clear()
    context.serve = Server
    press(ready(context), "6")
    asyncio.run(context.effects.run_pending())
    return context


def run_pending(context):
    asyncio.run(context.effects.run_pending())
    return plain(draw(context, 120, 40))


@pytest.mark.parametrize("size", SIZES)
def test_a_held_out_user_is_shown_with_all_lists(recommend, snapshot, size):
    lines = draw(recommend, *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"recommend-{size[0]}x{size[1]}", plain(lines))


@pytest.mark.parametrize("size", SIZES)
def test_titles_are_completed_while_they_are_typed(recommend, press, snapshot, size):
    press(recommend, "t", '"al"')
    asyncio.run(recommend.effects.run_pending())
    press(recommend, "down")
    snapshot(f"recommend-typing-{size[0]}x{size[1]}", plain(draw(recommend, *size)))


def test_typed_titles_become_the_history_and_the_teacher_follows(recommend, press):
    server = Server.made[-1]
    server.ready = False
    for word in ("alien", "heat"):
        press(recommend, "t") if word == "alien" else None
        press(recommend, f'"{word}"')
        asyncio.run(recommend.effects.run_pending())
        press(recommend, "enter")
    press(recommend, "escape")
    text = run_pending(recommend)
    assert server.asked[-1] == ("recommend", {"history": [1, 8], "count": 10, "hide_seen": None, "live": True})
    assert "your history  2" in text and "loading the language model" in text and "  loading" in text
    server.later(Reply(server.answer({"history": [1, 8], "count": 10}, live=True)))
    assert recommend.tick() and not recommend.tick()
    assert "teacher live" in run_pending(recommend)


def test_an_answer_to_an_older_question_no_longer_counts(recommend, press):
    server = Server.made[-1]
    old = server.later
    press(recommend, "n")
    asyncio.run(recommend.effects.run_pending())
    before = recommend.screen.session.answer
    old(Reply(server.answer({"row": 0, "count": 3})))
    assert recommend.screen.session.answer is before


def test_users_follow_each_other_round(recommend, press):
    server = Server.made[-1]
    for key in ("n", "n", "n", "N"):
        press(recommend, key)
        asyncio.run(recommend.effects.run_pending())
    assert [more["row"] for method, more in server.asked if method == "recommend"] == [0, 1, 2, 0, 2]


def test_a_user_is_picked_by_a_part_of_the_id(recommend, press):
    press(recommend, "slash")
    asyncio.run(recommend.effects.run_pending())
    assert "bob   5 events" in plain(draw(recommend, 120, 40))
    press(recommend, '"ca"')
    asyncio.run(recommend.effects.run_pending())
    press(recommend, "enter")
    asyncio.run(recommend.effects.run_pending())
    assert Server.made[-1].asked[-1][1]["row"] == 2


def test_users_come_in_the_order_of_what_distillation_gained_them(recommend, press):
    server = Server.made[-1]
    press(recommend, "o")
    assert "most gained by distillation first" in run_pending(recommend)
    for key in ("n", "n", "n"):
        press(recommend, key)
        run_pending(recommend)
    assert [more["row"] for method, more in server.asked if method == "recommend"] == [0, 2, 1, 0, 2]
    press(recommend, "slash")
    text = run_pending(recommend)
    assert "users  student · distilled" in text and "cat   1,699 · 1.5" in text
    press(recommend, "escape", "o", "o")
    run_pending(recommend)
    assert recommend.screen.session.order == "row"


def test_a_run_that_cannot_order_its_users_says_so_and_goes_on(recommend, press, evaluated):
    press(recommend, "m", "down", "enter")
    run_pending(recommend)
    press(recommend, "o")
    assert "only an evaluation knows" in run_pending(recommend)
    press(recommend, "n")
    assert "only an evaluation knows" not in run_pending(recommend) and recommend.screen.session.row == 1


def test_after_titles_of_ones_own_the_user_before_comes_back(recommend, press):
    press(recommend, "n")
    run_pending(recommend)
    press(recommend, "c", "n")
    run_pending(recommend)
    assert recommend.screen.session.row == 1


def test_nothing_is_guessed_while_the_search_has_not_caught_up(recommend, press):
    press(recommend, "t", '"al"')
    asyncio.run(recommend.effects.run_pending())
    press(recommend, "ctrl+u", '"heat"', "enter")  # what was found belongs to "al"
    assert recommend.screen.session.typed == [] and recommend.prompt.edit.text == "heat"
    asyncio.run(recommend.effects.run_pending())
    press(recommend, "enter")
    assert [one.title for one in recommend.screen.session.typed] == ["Heat"]


def test_the_item_under_the_cursor_is_shown_and_goes_into_the_history(recommend, press):
    press(recommend, "l", "j", "j")
    assert "Metropolis" not in run_pending(recommend).splitlines()[-7]
    assert recommend.screen.chosen.item == 11
    press(recommend, "l", "h", "k", "enter")
    run_pending(recommend)
    assert Server.made[-1].asked[-1][1]["history"] == [13, 14, 7, 1]
    press(recommend, "backspace")
    run_pending(recommend)
    assert Server.made[-1].asked[-1][1]["history"] == [13, 14, 7]


def test_a_click_chooses_an_item_of_a_list(recommend):
    draw(recommend, 120, 40)
    click(recommend, 70, 6, 120, 40)
    assert (recommend.screen.list, recommend.screen.cursor.line) == (1, 2)


def test_length_seen_items_and_the_teacher_are_asked_for(recommend, press):
    for key in ("z", "s", "T"):
        press(recommend, key)
        asyncio.run(recommend.effects.run_pending())
    assert Server.made[-1].asked[-1][1] == {"row": 0, "count": 20, "hide_seen": False, "live": False}


def test_the_command_for_the_same_answer_is_copied(recommend, press, evaluated):
    press(recommend, "y")
    run, root = evaluated[0].name, recommend.root
    assert recommend.effects.copied == [f"engine recommend {run} --user ann --count 10 --runs {root}"]


def test_another_run_gets_a_server_of_its_own(recommend, press, evaluated):
    assert Server.made[-1].run == evaluated[0].name
    press(recommend, "1")
    recommend.list.go_to(evaluated[1].name)
    press(recommend, "6")
    asyncio.run(recommend.effects.run_pending())
    assert len(Server.made) == 2 and Server.made[0].closed and Server.made[1].run == evaluated[1].name
    press(recommend, "m", "enter")
    asyncio.run(recommend.effects.run_pending())
    assert Server.made[-1].run == evaluated[0].name


def test_coming_back_finds_everything_as_it_was(recommend, press):
    press(recommend, "n")
    run_pending(recommend)
    press(recommend, "1", "6")
    asyncio.run(recommend.effects.run_pending())
    assert len(Server.made) == 1 and recommend.screen.session.row == 1


def test_a_server_that_died_says_why_and_the_next_question_starts_another(recommend, press):
    Server.made[-1].ended = "out of memory"
    press(recommend, "1", "6")
    asyncio.run(recommend.effects.run_pending())
    assert len(Server.made) == 2
    server = Server.made[-1]

    async def dies(method, later=None, **more):
        return Reply(error="the model is broken [/]")

    server.ask = dies
    press(recommend, "n")
    text = run_pending(recommend)
    assert "the model is broken [/]" in text


def test_an_answer_of_another_shape_is_shown(recommend, press):
    async def odd(method, later=None, **more):
        return Reply({"history": 5})

    Server.made[-1].ask = odd
    press(recommend, "n")
    assert "the answer cannot be read" in run_pending(recommend)


def test_hostile_titles_reach_no_terminal(recommend, press):
    press(recommend, "l", "j", "j")
    for size in SIZES:
        text = plain(draw(recommend, *size))
        assert "\x1b" not in text and "\x07" not in text and "Jaws [/]" in text


def test_without_a_finished_run_it_says_what_to_do(context, ready, maker, press):
    maker.ended(maker.planned("data"))
    context.serve = Server
    press(ready(context), "6")
    assert "no finished run has a recommender yet" in plain(draw(context, 120, 40))
    press(context, "n")
    assert "no finished run" in context.message[0]
    assert context.effects.work == []


def test_a_cockpit_that_may_only_read_may_ask(recommend, press):
    recommend.read_only = True
    press(recommend, "n")
    run_pending(recommend)
    assert Server.made[-1].asked[-1][1]["row"] == 1
