"""Which ends are news, and what is said of them."""

from dataclasses import replace

from cockpit.models.endings import SETTLED, Ending, Endings
from cockpit.models.rows import Row


def run(name, state="RUNNING", experiment="", **more):
    return Row(f"student-{name}", "student", state=state, experiment=experiment, **more)


def rows(*members):
    return {row.id: row for row in members}


def test_only_the_end_of_a_run_that_was_seen_open_is_news():
    watched = Endings()
    assert watched.of(rows(run("a"), run("b", "DONE")), 0.0) == []
    (end,) = watched.of(rows(run("a", "FAILED", reason="broken"), run("b", "DONE")), 1.0)
    assert end.failed and end.text == "student a: FAILED broken"
    assert watched.of(rows(run("a", "FAILED"), run("b", "DONE")), 2.0) == []


def test_a_good_end_gives_time_and_figure():
    end = Ending((run("a", "DONE", wall=61.0, best={"val_recall@10": (0.25, 1.0)}),))
    assert not end.failed and end.text == "student a: DONE in 1:01, val_recall@10 .2500"


def test_an_experiment_ends_once_when_none_of_its_runs_is_at_work_for_some_seconds():
    a, b = run("a", experiment="x"), run("b", "WAITING", experiment="x")
    watched = Endings()
    watched.of(rows(a, b), 0.0)
    a = replace(a, state="DONE")
    assert [end.experiment for end in watched.of(rows(a, b), 1.0)] == [""]
    b = replace(b, state="FAILED")
    assert [end.experiment for end in watched.of(rows(a, b), 2.0)] == [""]
    assert watched.of(rows(a, b), 2.0 + SETTLED - 1) == []
    (end,) = watched.of(rows(a, b), 2.0 + SETTLED)
    assert end.text == "experiment x ended: 1 DONE, 1 FAILED" and end.failed
    assert watched.of(rows(a, b), 99.0) == []


def test_a_search_that_makes_its_next_trial_has_not_ended():
    a, c = run("a", experiment="x"), run("c", "DONE", experiment="x")
    watched = Endings()
    watched.of(rows(a, c), 0.0)
    a = replace(a, state="DONE")
    watched.of(rows(a, c), 1.0)
    assert watched.of(rows(a, c, run("b", experiment="x")), 5.0) == []
    assert watched.of(rows(a, c, run("b", experiment="x")), 99.0) == []


def test_the_facts_of_a_run_and_of_an_experiment():
    done = run("a", "DONE", experiment="x", wall=61.0, best={"val_recall@10": (0.25, 1.0)})
    facts = Ending((done,)).facts("/runs/student-a")
    assert facts["COCKPIT_KIND"] == "run" and facts["COCKPIT_RUN"] == "student-a" and facts["COCKPIT_SECONDS"] == "61"
    assert facts["COCKPIT_VALUE"] == "0.25" and facts["COCKPIT_FOLDER"] == "/runs/student-a"
    facts = Ending((done, run("b", "KILLED", experiment="x")), "x").facts("/runs")
    assert facts["COCKPIT_KIND"] == "experiment" and facts["COCKPIT_STATE"] == "FAILED"
    assert facts["COCKPIT_COUNTS"] == "1 DONE, 1 KILLED" and "COCKPIT_RUN" not in facts
