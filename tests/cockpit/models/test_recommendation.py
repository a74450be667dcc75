"""An answer of ``engine serve-local``, read."""

import pytest

from cockpit.models.recommendation import tried


def item(number, title="x", **more):
    return {"item": number, "raw": f"r{number}", "title": title, **more}


def column(model, *items, run="run-1", **more):
    listed = [{"rank": k, "score": 1.0 / k, "next": False, **one} for k, one in enumerate(items, start=1)]
    facts = {"state": "ready", "note": "", "source": "", "next_rank": None, "gates": None, "ms": 1.0}
    return {"model": model, "run": run, "items": listed, **facts, **more}


def answer(*columns, **more):
    return {"history": [item(9)], "user": "7", "next": None, "columns": list(columns), "overlap": [], **more}


def test_items_of_every_list_are_common_and_places_are_found():
    read = tried(answer(column("a", item(1), item(2)), column("b", item(2), item(3)), column("c", run="")))
    assert read.common == {2}
    assert read.columns[1].rank(3) == 2 and read.columns[0].rank(3) is None


def test_one_list_alone_shares_nothing():
    assert tried(answer(column("a", item(1)))).common == frozenset()


def test_models_that_nobody_trained_are_not_shown_unless_there_are_no_others():
    missing = column("b", run="", state="missing", note="no run")
    assert [one.model for one in tried(answer(column("a", item(1)), missing)).shown] == ["a"]
    assert [one.model for one in tried(answer(missing)).shown] == ["b"]


def test_what_a_terminal_would_obey_is_cleaned_away():
    hostile = "\x1b]0;PWNED\x07Al\x1b[2Jien\u202e"
    read = tried(answer(column(hostile, item(1, hostile), note=hostile), user=hostile, next=item(2, hostile)))
    told = (read.columns[0].model, read.columns[0].places[0].named.title, read.columns[0].note, read.user)
    assert set(told) == {"Alien\ufffd"} and read.next.title == "Alien\ufffd"


@pytest.mark.parametrize("broken", [{}, answer(column("a", {"item": 1})), answer(history=5), answer(next="x")])
def test_another_shape_is_an_error_to_be_told(broken):
    with pytest.raises((KeyError, TypeError, ValueError)):
        tried(broken)
