"""Which numbers of finished runs are compared."""

import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.compare.figures import (
    TESTED,
    Evaluated,
    evaluated,
    kept_metrics,
    of_evaluations,
    of_trainings,
    of_validation,
    row_values,
    shared,
)
from engine.compare.groups import Group, Member, member_of, resolve
from engine.runs.schema import SUMMARY
from engine.stages import ROW_RANKS


def groups_of(world: Any, *names: str) -> list[Group]:
    return list(resolve(names, world.store))


def member(world: Any, run: str) -> Member:
    by_id = {entry.id: entry for entry in world.store.scan()}
    return member_of(by_id[run], by_id)


def test_a_training_is_compared_by_its_kept_evaluation_and_by_its_last_loss(world: Any) -> None:
    a, b = world.student("a", 1, values=(0.1, 0.3, 0.2)), world.student("b", 1, values=(0.2, 0.1))
    found = {figure.metric: figure for figure in of_trainings(groups_of(world, a, b))}
    assert found["val_ndcg@10"].values == [[0.3], [0.2]] and found["val_recall@10"].values == [[0.6], [0.4]]
    assert found["loss"].values == [[2.0], [3.0]]
    assert [(found[name].goal, found[name].tested) for name in ("val_ndcg@10", "loss")] == [
        ("max", True), ("min", False),
    ]  # fmt: skip


def test_a_run_of_an_earlier_version_has_its_kept_evaluation_in_its_events_alone(world: Any) -> None:
    run = world.student("a", 1, values=(0.1, 0.3, 0.2))
    path = world.store.root / run / SUMMARY
    summary = json.loads(path.read_text())
    del summary["kept"], summary["kept_step"]
    path.write_text(json.dumps(summary))
    assert kept_metrics(member(world, run).entry) == {"val_ndcg@10": 0.3, "val_recall@10": 0.6}


def test_a_training_that_never_evaluated_has_no_kept_figures(world: Any) -> None:
    run = world.student("a", 1, values=())
    assert kept_metrics(member(world, run).entry) == {}


def test_an_evaluation_is_read_under_its_own_protocol_or_the_one_that_is_asked_for(world: Any) -> None:
    run = world.evaluate("a", 1, ranks=np.full(len(world.ranks(1)), 2.0))  # seen items not hidden: rank 3
    own, shown = (evaluated(member(world, run), hide_seen) for hide_seen in (None, "false"))
    assert float(own.rows["student"]["mrr"]) == pytest.approx(1 / 2)
    assert float(shown.rows["student"]["mrr"]) == pytest.approx(1 / 3)
    assert own.main == shown.main and own.main["hide_seen"] == "true"


def test_values_of_rows_stand_in_the_order_of_the_rows_however_they_are_stored(world: Any) -> None:
    ranks = world.ranks(1)
    run = world.evaluate("a", 1, ranks=ranks)
    path = world.store.root / run / "artifacts" / ROW_RANKS.file
    table = pq.read_table(path)
    pq.write_table(table.take(np.random.default_rng(0).permutation(len(table))), path)
    found = row_values(member(world, run), "true")
    assert found["student", "mrr"].tolist() == pytest.approx([1 / rank for rank in ranks])
    assert found["student", "hr@10"].tolist() == [float(rank <= 10) for rank in ranks]
    expected = [1 / np.log2(rank + 1) if rank <= 10 else 0.0 for rank in ranks]
    assert found["student", "ndcg@10"].tolist() == pytest.approx(expected)
    assert row_values(member(world, run), "false")["student", "mrr"].tolist() == pytest.approx(1 / (ranks + 1))


def entry(student: str = "", **others: str) -> Evaluated:
    """An evaluation whose models were made by these runs."""
    rows = {
        name: {"made_by": run} | dict.fromkeys(TESTED, "0.5") for name, run in ({"student": student} | others).items()
    }
    return Evaluated(rows, {}, {}, "", {})


def test_a_model_that_is_the_same_run_in_every_group_is_shown_and_not_tested() -> None:
    groups = [
        [entry("s1", teacher="t1"), entry("s2", teacher="t2")],
        [entry("s1", teacher="t3"), entry("s2", teacher="t4")],
    ]
    assert shared(groups) == {"student": ["s1", "s2"]}
    tested = {(figure.model, figure.metric): figure.tested for figure in of_evaluations(groups)}
    assert tested == {(model, name): model == "teacher" for model in ("student", "teacher") for name in TESTED}
    assert shared(groups[:1]) == {} and shared([[entry("s1")], [entry("s2")]]) == {}
    assert shared([[entry("")], [entry("")]]) == {}  # nothing is known of who made them


def test_a_model_that_one_evaluation_lacks_has_no_value_there() -> None:
    found = {
        (figure.model, figure.metric): figure.values
        for figure in of_evaluations([[entry("s1", teacher="t1")], [entry("s2")]])
    }
    assert found["teacher", "mrr"] == [[0.5], [None]] and found["student", "mrr"] == [[0.5], [0.5]]


def test_settings_are_selected_by_validation_rows_alone() -> None:
    one = Evaluated({}, {"student": {"ndcg@10": "0.25"}, "popularity": {"ndcg@10": "0.1"}}, {}, "", {})
    (figure,) = of_validation([[one], [Evaluated({}, {}, {}, "", {})]])
    assert (figure.model, figure.metric, figure.values, figure.tested) == (
        "student", "val_ndcg@10", [[0.25], [None]], False,
    )  # fmt: skip
