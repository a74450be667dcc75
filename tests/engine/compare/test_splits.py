"""The same models under two splits beside each other."""

import csv
import io
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.compare.groups import member_of
from engine.compare.splits import SplitComparison, compare_splits, text, write_csv
from engine.errors import UserError
from engine.metrics.statistics import kendall
from engine.report.tables import WIDTH


def compared(world: Any) -> list[SplitComparison]:
    entries = world.store.scan()
    by_id = {entry.id: entry for entry in entries}
    return compare_splits([member_of(entry, by_id) for entry in entries if entry.info.stage == "evaluate"])


def splits(world: Any) -> None:
    """Two seeds; by time the teacher is below the student, else above it, and popularity is always last."""
    first, second = np.full(60, 1.0), np.full(60, 3.0)
    for split, student, teacher in (("leave-one-out", second, first), ("temporal", first, second)):
        for seed in (1, 2):
            words = ["data=pairs", f"data.split={split}"]
            world.evaluate("two", seed, *words, ranks=student, teacher=teacher, split=split)


def test_models_stand_in_a_row_with_a_column_for_every_split(world: Any) -> None:
    splits(world)
    (found,) = compared(world)
    assert found.splits == {"leave-one-out": [1, 2], "temporal": [1, 2]}
    rows = {row.model: row for row in found.rows}
    assert rows["student"].ranks == {"leave-one-out": 2, "temporal": 1}
    assert rows["teacher"].ranks == {"leave-one-out": 1, "temporal": 2}
    assert rows["popularity"].ranks == {"leave-one-out": 3, "temporal": 3}
    shown = text(found)
    assert max(map(len, shown.splitlines())) <= WIDTH
    (line,) = [line for line in shown.splitlines() if line.startswith("student ")]
    means = [rows["student"].figures[split]["ndcg@10"].mean for split in found.splits]
    assert [f"{mean:.4f}" in line for mean in means] == [True, True]


def test_the_order_that_differs_is_named_with_kendalls_tau(world: Any) -> None:
    splits(world)
    (found,) = compared(world)
    (order,) = found.orders
    assert (order.models, order.swapped) == (3, [("teacher", "student")])
    assert order.tau == pytest.approx(1 / 3)
    words = " ".join(text(found).split())
    assert "leave-one-out and temporal order 3 models with Kendall's tau 0.33: teacher is above student in" in words


def test_one_split_is_no_comparison(world: Any) -> None:
    world.evaluate("one", 1, ranks=world.ranks(1))
    with pytest.raises(UserError, match="one split") as error:
        compared(world)
    assert "data.split=leave-one-out,temporal" in error.value.remedy


def test_the_csv_has_a_line_per_split_model_and_metric(world: Any) -> None:
    splits(world)
    file = io.StringIO()
    assert write_csv(compared(world), file) == 2 * 3 * 3
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    (row,) = [r for r in rows if (r["split"], r["model"], r["metric"]) == ("temporal", "student", "ndcg@10")]
    assert (row["n"], row["position"]) == ("2", "1") and float(row["mean"]) > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_kendalls_tau_is_that_of_scipy_with_ties(seed: int) -> None:
    draw = np.random.default_rng(seed)
    one, other = draw.integers(0, 5, 12).tolist(), draw.integers(0, 5, 12).tolist()
    assert kendall(one, other) == pytest.approx(stats.kendalltau(one, other).statistic)


def test_kendalls_tau_of_equal_values_is_none() -> None:
    assert kendall([1.0, 1.0], [1.0, 2.0]) is None
