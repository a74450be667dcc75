"""The models of evaluations with several seeds, against each other."""

import csv
import io
from typing import Any

import numpy as np
import pytest

from engine.compare.groups import by_experiment, member_of
from engine.compare.models import ModelComparison, compare_models, pairs, text, write_csv
from engine.evaluate.figures import per_row
from engine.metrics.statistics import holm, paired_rows, paired_t


def standings(world: Any) -> list[ModelComparison]:
    entries = world.store.scan()
    by_id = {entry.id: entry for entry in entries}
    members = [member_of(entry, by_id) for entry in entries if entry.info.stage == "evaluate"]
    return [compare_models(group, "protocol") for group in by_experiment(members)]


def teach(world: Any, label: str = "taught", *overrides: str) -> None:
    """Three seeds of a student, and of a distilled student and a teacher that are better."""
    for seed in (1, 2, 3):
        ranks = [world.ranks(seed, better) for better in (0.0, 0.6, 0.9)]
        world.evaluate(label, seed, *overrides, ranks=ranks[0], distilled=ranks[1], teacher=ranks[2])


def test_the_distilled_student_is_held_against_its_baseline_over_seeds_and_over_rows(world: Any) -> None:
    teach(world)
    (found,) = standings(world)
    own = [one for one in found.versus if (one.model, one.baseline) == ("distilled", "student")]
    assert [one.metric for one in own] == ["ndcg@10", "hr@10", "mrr"]
    by_seed, by_row = own[0].differences
    a, b = ([per_row(world.ranks(seed, better))["ndcg@10"] for seed in (1, 2, 3)] for better in (0.0, 0.6))
    t = paired_t([x.mean() for x in a], [x.mean() for x in b])
    assert (by_seed.mean, by_seed.low, by_seed.p) == pytest.approx((t.mean, t.low, t.p), rel=1e-6)
    rows = paired_rows(np.mean(a, axis=0), np.mean(b, axis=0), samples=300, seed=1)
    assert (by_row.mean, by_row.low, by_row.high, by_row.p) == (rows.mean, rows.low, rows.high, rows.p)
    for kind in (0, 1):
        every = [one.differences[kind] for one in found.versus]  # all pairs and metrics are printed together
        assert len(every) == 12 and [d.p_holm for d in every] == holm([d.p for d in every])
    (sentence,) = [line for line in found.verdict if line.startswith("distilled is better than student")]
    assert f"({by_seed.percent:+.1f} %)" in sentence


def test_every_model_has_its_baseline() -> None:
    assert pairs(["popularity", "student", "teacher", "distilled"]) == [
        ("popularity", "student"),
        ("student", "teacher"),
        ("student", "distilled"),
        ("teacher", "distilled"),
    ]
    assert pairs(["popularity", "distilled"]) == [("popularity", "distilled")]


def test_settings_stand_apart_and_the_newest_run_of_a_seed_counts(world: Any) -> None:
    teach(world)
    teach(world, "taught", "student.dropout=0.11")
    world.evaluate("taught", 3, ranks=world.ranks(3))  # seed 3 again, without the other models
    found = standings(world)
    dropout = world.dropout
    assert [one.name for one in found] == [f"taught  student.dropout={dropout}", "taught  student.dropout=0.11"]
    assert [one.seeds for one in found] == [[1, 2, 3], [1, 2, 3]]
    assert found[0].spreads["distilled"]["ndcg@10"].n == 2
    assert found[1].spreads["distilled"]["ndcg@10"].n == 3


def test_the_text_fits_a_terminal_and_the_csv_has_its_numbers(world: Any) -> None:
    teach(world)
    found = standings(world)
    printed = text(found[0])
    assert max(map(len, printed.splitlines())) <= 80
    file = io.StringIO()
    assert write_csv(found, file) == len(list(csv.DictReader(io.StringIO(file.getvalue()))))
    lines = [*csv.DictReader(io.StringIO(file.getvalue()))]
    rows = {(row["model"], row["metric"]): row for row in lines if row["rows"] == "all"}
    tail = next(row for row in lines if (row["rows"], row["model"]) == ("tail", "teacher"))
    assert float(tail["mean"]) == found[0].parts[1].spreads["teacher"].mean
    assert f"{float(tail['mean']):.4f}" in printed
    spread = found[0].spreads["distilled"]["ndcg@10"]
    assert (float(rows["distilled", "ndcg@10"]["mean"]), float(rows["distilled", "ndcg@10"]["sd"])) == (
        spread.mean,
        spread.sd,
    )
    assert f"{spread.mean:.4f} ±{spread.sd:.4f}" in printed


def test_the_size_of_the_search_stands_below_the_table_and_separates_no_seeds(world: Any) -> None:
    for seed in (1, 2):
        world.evaluate("try", seed, f"search.student={10 * seed}", ranks=world.ranks(seed))
    (found,) = standings(world)
    same = "settings chosen on validation rows: student"
    assert found.seeds == [1, 2] and found.search == f"{same} 10 trials / {same} 20 trials"
    assert found.search in " ".join(text(found).split())


def test_trained_models_are_held_against_the_best_untrained_one_in_a_family_of_its_own(world: Any) -> None:
    for seed in (1, 2, 3):
        others = {"transitions": np.full(60, 9.0), "titles": np.where(np.arange(60) < 50, 1.0, 30.0)}
        world.evaluate("least", seed, ranks=world.ranks(seed), teacher=world.ranks(seed, 0.9), **others)
    (found,) = standings(world)
    assert list(dict.fromkeys((one.baseline, one.model) for one in found.versus)) == [
        *(("popularity", "student"), ("student", "teacher"), ("titles", "student"), ("titles", "teacher")),
    ]
    for family in (found.versus[:6], found.versus[6:]):
        for kind in (0, 1):
            own = [one.differences[kind] for one in family]
            assert [d.p_holm for d in own] == holm([d.p for d in own])
    refused = [line for line in found.verdict if "not called better" in line]
    assert refused and refused[0].startswith("teacher ranks above student, but below titles, which needs no training")
    assert any(line.startswith("teacher is worse than titles") for line in found.verdict)
    assert max(map(len, text(found).splitlines())) <= 80
    assert "titles (untrained)" in text(found)
