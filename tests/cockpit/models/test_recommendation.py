"""What the screen shows of an answer of ``engine serve-local``."""

from cockpit.models.recommendation import common, rank_in, shown
from engine.wire import ModelList, RankedItem, Recommendations


def column(model, *items, run="run-1", state="ready"):
    listed = [RankedItem(rank, item, f"r{item}", "x", 1.0 / rank) for rank, item in enumerate(items, start=1)]
    return ModelList(model, run, state, items=listed)


def answer(*columns):
    return Recommendations([], "7", None, list(columns), [])


def test_items_of_every_list_are_common_and_ranks_are_found():
    read = answer(column("a", 1, 2), column("b", 2, 3), column("c", run=""))
    assert common(read) == {2}
    assert rank_in(read.columns[1], 3) == 2 and rank_in(read.columns[0], 3) is None


def test_one_list_alone_shares_nothing():
    assert common(answer(column("a", 1))) == frozenset()


def test_models_that_no_run_trained_are_not_shown_unless_there_are_no_others():
    missing = column("b", run="", state="missing")
    assert [one.model for one in shown(answer(column("a", 1), missing))] == ["a"]
    assert [one.model for one in shown(answer(missing))] == ["b"]
