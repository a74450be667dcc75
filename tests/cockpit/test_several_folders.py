"""One cockpit on two folders of runs: what is shown, and where its actions work."""

import shutil

import pytest

from cockpit.compose import draw
from cockpit.render.lines import plain
from cockpit.services.folders import named
from engine.runs.schema import Meta
from tests.fixtures.cockpit import Engine, Maker


@pytest.fixture
def other(tmp_path):
    return Maker(tmp_path / "other")


@pytest.fixture
def both(opened, maker, other, ready):
    """A context on two folders, and its engine."""
    data = maker.ended(maker.planned("data"))
    maker.trained(maker.planned(inputs={"data": data.name}, name="student-20260921-141000-aaaa"))
    other.trained(other.planned(name="student-20260921-141000-bbbb", config={"lr": 2e-3}), end="", steps=120)
    other.console(other.root / "student-20260921-141000-bbbb", "printed in the other\n")
    engine = Engine()
    context = opened(named([str(maker.root), f"big={other.root}"]), ask=engine)
    ready(context).engine = engine
    return context


A, B = "student-20260921-141000-aaaa", "student-20260921-141000-bbbb"


def test_all_runs_are_listed_with_the_name_of_their_folder_which_filters_and_groups(both, press):
    text = plain(draw(both, 120, 40))
    assert "aaaa" in text and "bbbb" in text and "folder" in text and "big" in text
    press(both, "slash", '"in:big"', "enter")
    assert [row.id for row in both.list.shown] == [B]
    press(both, "escape", "w", "w", "w")
    assert "▾ big  1 runs" in plain(draw(both, 80, 24)) and "▾ runs  2 runs" in plain(draw(both, 80, 24))
    press(both, "w")
    assert both.list.grouping == ""


async def test_an_action_works_in_the_folder_of_its_run(both, press, other, monkeypatch):
    roots = []
    call = Engine.__call__

    async def noted(self, words, runs=None, each=None):
        roots.append((words[0], runs))
        return await call(self, words, runs, each)

    monkeypatch.setattr(Engine, "__call__", noted)
    both.list.go_to(B)
    press(both, "x", "enter")
    await both.effects.run_pending()
    press(both, "D")
    await both.effects.run_pending()
    assert roots == [("stop", other.root), ("doctor", other.root)]
    press(both, "1", "p")
    assert Meta.read(other.root / B).pinned
    press(both, "a")
    await both.effects.run_pending()
    assert roots[-1] == ("run", both.root)
    press(both, "escape", "r")
    await both.effects.run_pending()
    assert roots[-1] == ("run", other.root) and f"--runs {other.root}" in plain(draw(both, 200, 60))


def test_curves_and_console_are_those_of_the_folder(both, press, ready, until):
    both.list.go_to(B)
    press(both, "enter")
    assert "kept .0818@120" in plain(draw(ready(both), 120, 40)) or ".0818@120" in plain(draw(both, 120, 40))
    press(both, "L")
    draw(both, 80, 24)
    both.watch._console_read = 0
    until(both, lambda: both.watch.console(B).complete)
    assert "printed in the other" in plain(draw(both, 80, 24))


async def test_runs_of_two_folders_are_not_compared(both, press, ready):
    both.list.marks = [A, B]
    press(both, "c")
    draw(ready(both), 120, 40)
    draw(ready(both), 120, 40)
    await both.effects.run_pending()
    assert "these runs lie in different folders (runs and big)" in plain(draw(both, 120, 40))
    assert ["compare"] not in [words[:1] for words in both.engine.asked]


def test_a_run_that_lies_in_two_folders_is_shown_once_and_said(both, ready, maker, other):
    shutil.copytree(maker.root / A, other.root / A)
    ready(both)
    assert [row.folder for row in both.list.shown if row.id == A] == ["runs"]
    assert "1 runs lie in two folders" in plain(draw(both, 120, 40))


def test_a_run_that_is_gone_leaves_the_list(both, ready, other):
    shutil.rmtree(other.root / B)
    ready(both)
    assert B not in both.list.rows and A in both.list.rows
