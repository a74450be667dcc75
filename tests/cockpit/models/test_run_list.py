"""The list keeps its cursor and its marks on their runs, whatever the filter does."""

from cockpit.models.rows import Row
from cockpit.models.run_list import GroupHeading, RunList


def listed(*rows):
    runs = RunList()
    runs.rows = {row.id: row for row in rows}
    runs.arrange(1000.0)
    return runs


def run(name, created, stage="student", score=None, **more):
    best = {} if score is None else {"val_recall@10": (score, 1.0)}
    return Row(name, stage, created=created, best=best, **more)


def ids(runs):
    return [row.id for row in runs.shown]


A, B, C = run("a", 1, score=0.1), run("b", 2, score=0.3), run("c", 3, experiment="x", tags=["t"])


def test_newest_first_and_pinned_before_all():
    assert ids(listed(A, B, C)) == ["c", "b", "a"]
    assert ids(listed(run("a", 1, pinned=True), B, C)) == ["a", "c", "b"]


def test_the_cursor_stays_on_its_run_when_others_come_and_go():
    runs = listed(A, B)
    runs.go_to("a")
    runs.rows["c"] = C
    runs.arrange(1000.0)
    assert runs.current.id == "a" and runs.cursor == 2
    runs.filter("a OR c")
    runs.arrange(1000.0)
    assert runs.current.id == "a"


def test_a_filter_that_cannot_be_understood_leaves_the_list_and_says_so():
    runs = listed(A, B, C)
    runs.filter("tag:t")
    runs.arrange(1000.0)
    runs.filter("tag:t (")
    runs.arrange(1000.0)
    assert ids(runs) == ["c"] and "missing" in str(runs.error)


def test_sorting_by_a_metric_puts_runs_without_it_last():
    runs = listed(A, B, C)
    for text, order in (("sort:-val_recall@10", ["b", "a", "c"]), ("sort:val_recall@10", ["a", "b", "c"])):
        runs.filter(text)
        runs.arrange(1000.0)
        assert ids(runs) == order


def test_grouping_puts_runs_under_heads():
    runs = listed(A, B, C)
    runs.grouping = "experiment"
    runs.arrange(1000.0)
    titles = [entry.title for entry in runs.entries if isinstance(entry, GroupHeading)]
    assert titles == ["x", "no experiment"] and ids(runs) == ["c", "b", "a"]


def test_runs_that_differ_in_the_seed_only_are_one_group():
    rows = [
        run(name, 1, config={"student.lr": lr, "student.seed": seed})
        for name, lr, seed in (("a", 1e-3, 1), ("b", 1e-3, 2), ("c", 9e-4, 1))
    ]
    runs = listed(*rows)
    runs.filter("group:cfg-seed")
    runs.arrange(1000.0)
    assert sorted(len(entry.rows) for entry in runs.entries if isinstance(entry, GroupHeading)) == [1, 2]


def test_a_range_of_marks_reaches_from_the_last_mark_to_the_cursor():
    runs = listed(A, B, C)
    runs.mark("c")
    runs.cursor = 2
    assert runs.mark_range() == 2 and runs.marks == ["c", "b", "a"]
    runs.mark("b")
    assert runs.marks == ["c", "a"]


def test_archived_runs_are_hidden_until_asked_for():
    runs = listed(A, run("b", 2, archived=True))
    assert ids(runs) == ["a"]
    runs.archived = True
    runs.arrange(1000.0)
    assert ids(runs) == ["b", "a"]


def test_the_best_run_of_each_stage_is_known():
    assert listed(A, B, C).best["student", "", "val_recall@10"].id == "b"


def test_a_new_order_shows_its_first_lines_and_a_changed_run_moves_no_cursor():
    runs = listed(A, B, C)
    runs.go_to("c")
    runs.filter("sort:-val_recall@10")
    runs.arrange(1000.0)
    assert runs.current.id == "b" and runs.cursor == 0
    runs.go_to("a")
    runs.rows["d"] = run("d", 4, score=0.9)
    runs.arrange(1001.0)
    assert runs.current.id == "a"


def test_until_it_is_placed_the_cursor_stays_on_the_first_line():
    runs = listed(A)
    runs.rows["b"] = B
    runs.arrange(1000.0)
    assert runs.current.id == "b"
    runs.placed = True
    runs.rows["c"] = C
    runs.arrange(1000.0)
    assert runs.current.id == "b"


def test_the_cursor_goes_to_an_awaited_run_unless_it_was_moved_before():
    for moved, at in ((False, "c"), (True, "a")):
        runs = listed(A, B)
        runs.placed, runs.awaited = True, "c"
        if moved:
            runs.move(1)
        runs.rows["c"] = C
        runs.arrange(1000.0)
        assert runs.current.id == at
        runs.rows["d"] = run("d", 4)
        runs.arrange(1000.0)
        assert runs.current.id == at


def test_the_column_metric_is_a_name_in_filters_and_an_unknown_metric_is_an_error():
    runs = listed(A, B, C)
    runs.filter("metric>0.2")
    runs.arrange(1000.0)
    assert ids(runs) == ["b"] and runs.unknown is None
    runs.filter("sort:metric")
    runs.arrange(1000.0)
    assert ids(runs) == ["a", "b", "c"]
    for text in ("best(val_recal@10)>.1", "sort:-val_recal@10", "stage:student val_recal@10>.1"):
        runs.filter(text)
        runs.arrange(1000.0)
        assert str(runs.unknown) == "no run reports val_recal@10: did you mean val_recall@10?"
        assert text[runs.unknown.position :].startswith("val_recal@10")


def test_runs_are_found_and_sorted_by_their_remaining_time():
    short, long = run("s", 1, state="RUNNING", eta=60.0), run("l", 2, state="RUNNING", eta=900.0)
    runs = listed(A, short, long)
    runs.filter("eta<5m")
    runs.arrange(1000.0)
    assert ids(runs) == ["s"]
    runs.filter("sort:-eta")
    runs.arrange(1000.0)
    assert ids(runs) == ["l", "s", "a"]
