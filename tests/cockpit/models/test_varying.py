"""What varies within an experiment, from the commands of its runs."""

from cockpit.models.rows import Row
from cockpit.models.varying import Varying


def row(name, *words, experiment="sweep", stage="student"):
    return Row(name, stage, experiment=experiment, argv=["engine", "run", stage, *words])


def known(*rows):
    varying = Varying()
    varying.update({one.id: one for one in rows})
    return varying


def test_settings_that_differ_between_runs_of_a_stage_vary_the_seed_and_common_ones_do_not():
    rows = [
        row(f"r{seed}{d}", f"student.dropout={d}", "student.epochs=2", f"seed={seed}") for seed in "12" for d in "34"
    ]
    varying = known(*rows)
    assert varying.names(rows[0]) == ["student.dropout"] and varying.named(rows[0]) == "dropout=3"


def test_a_setting_that_only_some_runs_were_given_varies():
    one, other = row("a", "student.epochs=3"), row("b")
    varying = known(one, other)
    assert varying.texts([one, other]) == ("epochs", {"a": "3", "b": "-"})


def test_experiments_and_stages_are_apart():
    rows = [row("a", "x.y=1"), row("b", "x.y=2", experiment="other"), row("c", "x.y=3", stage="data")]
    assert all(not known(*rows).names(one) for one in rows)


def test_columns_line_up_where_the_same_settings_vary():
    rows = [row("a", "s.rate=1e-3", "s.hidden=64"), row("b", "s.rate=3e-3", "s.hidden=128")]
    title, texts = known(*rows).texts(rows)
    assert title == "rate  hidden" and texts == {"a": "1e-3  64", "b": "3e-3  128"}


def test_rows_of_several_experiments_name_their_settings():
    rows = [
        row("a", "s.rate=1"),
        row("b", "s.rate=2"),
        row("c", "s.k=1", experiment="e"),
        row("d", "s.k=2", experiment="e"),
    ]
    assert known(*rows).texts(rows) == ("varies", {"a": "rate=1", "b": "rate=2", "c": "k=1", "d": "k=2"})


def test_new_runs_are_looked_at_and_known_ones_not_again():
    rows = {"a": row("a", "s.k=1")}
    varying = Varying()
    varying.update(rows)
    assert varying.names(rows["a"]) == []
    rows["b"] = row("b", "s.k=2")
    varying.update(rows)
    assert varying.names(rows["a"]) == ["s.k"]


def test_settings_with_several_values_come_before_those_that_only_some_runs_were_given():
    rows = [row("a"), row("b", "s.k=1", "s.all=3"), row("c", "s.k=2", "s.all=3")]
    assert known(*rows).texts(rows) == ("k", {"a": "-", "b": "1", "c": "2"})
