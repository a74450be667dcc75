import math
from typing import Any

import numpy as np
import pytest

from engine.evaluate.figures import (
    closer,
    compared_pairs,
    comparisons,
    intervals,
    means,
    of_lists,
    overlap,
    overlaps,
    per_row,
)
from engine.evaluate.measure import Measured, Protocol
from engine.metrics.statistics import holm, metric_interval, paired_rows
from engine.stages import FLOOR


def test_means_are_those_of_the_formulas() -> None:
    ranks = np.array([1.0, 3.0, 7.5, 10.0, 50.0])
    found = means(ranks)
    for k in (1, 5, 10, 20):
        hits = [rank <= k for rank in ranks]
        assert found[f"hr@{k}"] == found[f"recall@{k}"] == pytest.approx(sum(hits) / 5)
        gains = [1 / math.log2(rank + 1) if rank <= k else 0 for rank in ranks]
        assert found[f"ndcg@{k}"] == pytest.approx(sum(gains) / 5)
        assert found[f"mrr@{k}"] == pytest.approx(sum(1 / rank if rank <= k else 0 for rank in ranks) / 5)
    assert found["mrr"] == pytest.approx(sum(1 / rank for rank in ranks) / 5)
    assert found["hr@10 se"] == pytest.approx(math.sqrt(0.8 * 0.2 / 4))


def test_printed_metrics_have_an_interval() -> None:
    ranks = np.array([1.0, 3.0, 7.5, 10.0, 50.0, math.inf])
    found, values = intervals(ranks, 300, 4), per_row(ranks)
    assert list(found) == [f"{name} {end}" for name in ("hr@1", "hr@10", "ndcg@10") for end in ("low", "high")]
    for name in ("hr@1", "hr@10", "ndcg@10"):
        assert (found[f"{name} low"], found[f"{name} high"]) == metric_interval(values[name], 300, 4)


def test_coverage_counts_listed_items_and_popularity_averages_them() -> None:
    lists = np.array([[1, 2], [1, 0]], dtype=np.int32)  # the second row has one item to show
    measured = Measured("m", "test", Protocol(True, "all"), np.ones(2), np.zeros(2, dtype=np.int64), lists)
    found = of_lists(measured, 4, np.array([0.0, 0.875, 0.5, 0.5, 0.125]))
    assert found == {"coverage@2": 0.5, "popularity@2": pytest.approx((0.875 + 0.5 + 0.875) / 3)}


def test_candidates_have_no_lists() -> None:
    measured = Measured("m", "test", Protocol(False, "20"), np.ones(2), np.zeros(2, dtype=np.int64), None)
    assert of_lists(measured, 4, np.ones(5)) == {}


def test_overlap_is_the_share_of_common_items_of_the_longer_list() -> None:
    one = np.array([[1, 2, 3], [1, 2, 3], [4, 0, 0], [0, 0, 0]], dtype=np.int32)
    other = np.array([[3, 1, 9], [7, 8, 9], [5, 4, 0], [0, 0, 0]], dtype=np.int32)
    assert overlap(one, other).tolist() == [2 / 3, 0.0, 0.5, 0.0]  # the padding is no item


def test_lists_are_held_against_each_other_under_the_same_protocol_only() -> None:
    lists = np.array([[1, 2], [3, 4]], dtype=np.int32)

    def measured(model: str, hide: bool, items: np.ndarray | None) -> Measured:
        return Measured(model, "test", Protocol(hide, "all"), np.ones(2), np.zeros(2, dtype=np.int64), items)

    found = list(overlaps([measured("a", True, lists), measured("b", True, lists[::-1]), measured("b", False, lists)]))
    assert [(row["model"], row["other"], row["hide_seen"], row["overlap"]) for row in found] == [("a", "b", True, 0.0)]


def test_teaching_is_asked_whether_it_brought_the_student_nearer_to_the_teacher() -> None:
    draw = np.random.default_rng(2)
    teacher, student = (draw.permuted(np.tile(np.arange(1, 31), (50, 1)), axis=1)[:, :10] for _ in range(2))
    lists = {"student": student, "teacher": teacher, "distilled": np.where(np.arange(10) < 7, teacher, 0)}
    (row,) = closer({name: own.astype(np.int32) for name, own in lists.items()}, 200, 1)
    assert (row["model"], row["baseline"], row["verdict"]) == ("distilled", "student", "better")
    before = np.mean([len({*a} & {*b}) / 10 for a, b in zip(student.tolist(), teacher.tolist(), strict=True)])
    assert row["baseline value"] == pytest.approx(before)
    assert row["difference"] == pytest.approx(0.7 - before)
    assert list(closer({"student": lists["student"], "teacher": lists["teacher"]}, 200, 1)) == []


def test_each_model_is_compared_with_those_before_it_on_the_same_rows() -> None:
    draw = np.random.default_rng(1)
    ranks = {name: draw.integers(1, 30, 60).astype(float) for name in ("popularity", "student", "distilled")}
    masks = {"odd": np.arange(60) % 2 == 1}
    ticks: list[tuple[int, int]] = []
    rows = list(comparisons(ranks, masks, FLOOR, samples=100, seed=5, tick=lambda done, all: ticks.append((done, all))))
    assert ticks == [(done, 12) for done in range(12)]
    pairs = [("popularity", "student"), ("popularity", "distilled"), ("student", "distilled")]
    assert [(r["baseline"], r["model"]) for r in rows[::4]] == pairs
    assert {(r["metric"], r["slice"]) for r in rows} == {(m, s) for m in ("ndcg@10", "hr@10") for s in ("all", "odd")}
    (row,) = [
        r for r in rows if (r["model"], r["baseline"], r["metric"], r["slice"]) == (*pairs[2][::-1], "hr@10", "odd")
    ]
    hits = {name: (own[masks["odd"]] <= 10).astype(float) for name, own in ranks.items()}
    alone = paired_rows(hits["student"], hits["distilled"], 100, 5)
    assert (row["difference"], row["low"], row["high"]) == (alone.mean, alone.low, alone.high)
    assert row["difference"] == pytest.approx((hits["distilled"] - hits["student"]).mean())
    assert row["p"] >= alone.p  # corrected for having looked at two metrics of the slices
    assert row["rows"] == 30
    without = list(comparisons(ranks, {}, FLOOR, samples=100, seed=5, tick=lambda done, all: None))
    assert [r for r in rows if r["slice"] == "all"] == without  # looking into parts changes nothing on the whole


@pytest.mark.parametrize("masks", [{}, {"odd": np.arange(60) % 2 == 1, "even": np.arange(60) % 2 == 0}])
def test_pairs_that_are_printed_together_are_corrected_together(masks: dict[str, np.ndarray]) -> None:
    draw = np.random.default_rng(3)
    ranks = {name: draw.integers(1, 30, 60).astype(float) for name in ("popularity", "student", "teacher", "distilled")}
    rows = list(comparisons(ranks, masks, FLOOR, samples=100, seed=5, tick=lambda done, all: None))

    def raw(row: dict[str, Any]) -> float:
        chosen = masks.get(row["slice"], np.ones(60, dtype=bool))
        a, b = (per_row(ranks[row[side]])[row["metric"]][chosen] for side in ("baseline", "model"))
        return paired_rows(a, b, 100, 5).p

    printed = {("popularity", "student"), ("student", "teacher"), ("student", "distilled"), ("teacher", "distilled")}
    for whole in (True, False):
        own = [r for r in rows if (r["slice"] == "all") == whole]
        family = [r for r in own if (r["baseline"], r["model"]) in printed]
        assert [r["p"] for r in family] == holm([raw(r) for r in family])
        least = [r for r in own if r["baseline"] == "popularity" and r["model"] != "student"]
        assert [r["p"] for r in least] == holm([raw(r) for r in least])


def test_only_popularity_and_the_best_untrained_model_are_compared_with_trained_ones() -> None:
    models = ["student", "popularity", "transitions", "titles", "distilled"]
    assert compared_pairs(models, "titles") == [
        *(("popularity", "student"), ("popularity", "distilled"), ("titles", "student"), ("titles", "distilled")),
        ("student", "distilled"),
    ]
    assert compared_pairs(["transitions", "titles"], "titles") == []


def test_what_knows_validation_events_is_held_against_counting_that_knows_them_too() -> None:
    models = ["popularity", "titles", "transitions+titles-refit", "student", "student-refit"]
    assert compared_pairs(models, "titles") == [
        *(("popularity", "student"), ("popularity", "student-refit")),
        *(("titles", "student"), ("transitions+titles-refit", "student-refit")),
        ("student", "student-refit"),
    ]
    models.remove("transitions+titles-refit")
    assert ("titles", "student-refit") not in compared_pairs(models, "titles")
    rank = {"titles": 8.0, "transitions+titles-refit": 2.0, "student": 9.0, "student-refit": 4.0}
    ranks = {name: np.full(60, value) + np.arange(60) % 2 for name, value in rank.items()}
    rows = list(comparisons(ranks, {}, "titles", 100, 5, lambda done, all: None))
    found = {(r["baseline"], r["model"]): (r["verdict"], r["below"]) for r in rows if r["metric"] == "ndcg@10"}
    assert found["student", "student-refit"] == ("better", "transitions+titles-refit")
    assert found["titles", "student"] == ("worse", "")


def test_the_best_untrained_model_is_a_family_of_its_own() -> None:
    draw = np.random.default_rng(3)
    ranks = {name: draw.integers(1, 30, 60).astype(float) for name in ("popularity", "titles", "student", "teacher")}
    without = [*comparisons({k: v for k, v in ranks.items() if k != "titles"}, {}, FLOOR, 100, 5, lambda d, a: None)]
    rows = [*comparisons(ranks, {}, "titles", 100, 5, lambda d, a: None)]
    known = {(r["baseline"], r["model"], r["metric"]): r["p"] for r in rows}
    main = [("popularity", "student"), ("student", "teacher")]
    for row in without:
        if (row["baseline"], row["model"]) in main:
            assert known[row["baseline"], row["model"], row["metric"]] == row["p"]  # not widened
    own = [r for r in rows if r["baseline"] == "titles"]
    raw = [paired_rows(*(per_row(ranks[r[s]])[r["metric"]] for s in ("baseline", "model")), 100, 5).p for r in own]
    assert [r["p"] for r in own] == holm(raw) and len(own) == 4


@pytest.mark.parametrize(("least", "below"), [(1.0, "titles"), (2.0, ""), (40.0, "")])
def test_the_winner_of_a_pair_names_the_untrained_model_that_ranks_above_it(least: float, below: str) -> None:
    ranks = {"titles": np.full(60, least), "student": np.full(60, 8.0), "teacher": np.full(60, 4.0)}
    ranks = {name: own + np.arange(60) % 3 for name, own in ranks.items()}
    if least == 2.0:  # above the student and not certainly above the teacher
        ranks["titles"] = np.where(np.arange(60) % 2 == 0, ranks["teacher"] - 1, ranks["teacher"] + 1)
    rows = list(comparisons(ranks, {}, "titles", 100, 5, lambda done, all: None))
    found = {(r["baseline"], r["model"], r["metric"]): (r["verdict"], r["below"]) for r in rows}
    assert found["student", "teacher", "ndcg@10"] == ("better", below)
    assert found["titles", "teacher", "ndcg@10"][1] == ""
    assert found["student", "teacher", "hr@10"] == ("undecided", "")


def test_a_single_model_is_compared_with_nothing() -> None:
    assert list(comparisons({"student": np.ones(3)}, {}, "", 100, 0, lambda done, all: None)) == []
