"""Which runs make a group."""

from cockpit.models.groups import EXPERIMENT, SETTINGS, SINGLE, chosen, grouped, own_settings, trained
from cockpit.models.rows import Row


def row(name, seed=1, stage="student", *, state="DONE", created=0.0, inputs=None, experiment="demo", **config):
    known = {"seed": seed, f"{stage}.seed": seed, **{key.replace("__", "."): value for key, value in config.items()}}
    return Row(name, stage, experiment, state, seed=seed, created=created, inputs=inputs or {"data": "d"}, config=known)


def ids(groups):
    return [(group.letter, [row.id for row in group.rows]) for group in groups]


def test_runs_that_differ_by_their_seed_alone_are_one_group_in_order_of_seeds():
    rows = [row("a2", 2, student__lr=1.0), row("b1", 1, student__lr=2.0), row("a1", 1, student__lr=1.0)]
    groups = grouped(rows, SETTINGS, {})
    assert ids(groups) == [("A", ["a1", "a2"]), ("B", ["b1"])]
    assert groups[0].argument == "A=a1,a2"


def test_where_a_run_ran_and_settings_it_does_not_rest_on_tell_no_groups_apart():
    rows = [row("a", 1, trainer__device="cpu", teacher__rank=1), row("b", 2, trainer__device="gpu", teacher__rank=2)]
    assert ids(grouped(rows, SETTINGS, {})) == [("A", ["a", "b"])]


def test_settings_of_what_a_run_was_made_from_count():
    made = {"d": row("d", stage="data"), "s": row("s"), "t": row("t")}
    rows = [row("x", 1, "evaluate", inputs={"student": "s"}, student__lr=1.0, distill__lr=1.0)]
    rows.append(row("y", 1, "evaluate", inputs={"student": "t"}, student__lr=2.0, distill__lr=2.0))
    assert "student.lr" in own_settings(rows[0], made) and "distill.lr" not in own_settings(rows[0], made)
    assert len(grouped(rows, SETTINGS, made)) == 2


def test_an_experiment_or_each_run_may_be_a_group():
    rows = [row("a", 1, experiment="x"), row("b", 2, experiment="y"), row("c", 3, experiment="x")]
    assert ids(grouped(rows, EXPERIMENT, {})) == [("A", ["a", "c"]), ("B", ["b"])]
    assert len(grouped(rows, SINGLE, {})) == 3


def test_without_marks_it_is_the_finished_runs_of_the_same_stage_and_data_oldest_first():
    rows = [row("new", created=3.0), row("old", created=1.0), row("failed", state="FAILED", created=2.0)]
    rows += [row("other", inputs={"data": "e"}), row("teacher", stage="teacher")]
    assert [one.id for one in chosen([], rows[0], rows)] == ["old", "new"]
    assert [one.id for one in chosen([rows[3], rows[2]], rows[0], rows)] == ["other", "failed"]
    assert chosen([], None, rows) == []


def test_the_curve_of_an_evaluation_is_that_of_the_last_training_it_was_made_from():
    everything = {"s": row("s"), "t": row("t", stage="distill")}
    assert trained(everything["s"], everything).id == "s"
    made = row("x", stage="evaluate", inputs={"student": "s", "distill": "t"})
    assert trained(made, everything).id == "t"
    generating = {"s": row("s"), "g": Row("g", "teacher", last={"candidate_hr@1": 0.1})}
    assert trained(row("x", stage="evaluate", inputs={"student": "s", "teacher": "g"}), generating).id == "g"
    assert trained(row("d", stage="data", inputs={}), everything) is None
