"""A comparison from run folders to numbers, doubts and sentences."""

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from engine.compare.differences import Procedure
from engine.compare.groups import resolve
from engine.compare.report import build, csv_rows, write_csv
from engine.evaluate.figures import per_row
from engine.metrics.statistics import benjamini_hochberg, holm, paired_rows, paired_t
from engine.wire import Comparison, plain, read


def compared(world: Any, *groups: str) -> Comparison:
    return build(resolve(groups, world.store))


def codes(comparison: Comparison) -> set[str]:
    return {note.code for note in comparison.notes}


def ndcg(world: Any, seed: int, better: float) -> Any:
    return per_row(world.ranks(seed, better))["ndcg@10"]


def test_seeds_are_paired_and_rows_are_paired_over_the_mean_of_the_seeds(seeds: Any) -> None:
    metrics = compared(seeds, "drop0.2", "drop0.4").metrics
    metric = next(m for m in metrics if (m.model, m.metric) == ("student", "ndcg@10"))
    by_seed, by_row = metric.differences
    a, b = ([ndcg(seeds, seed, better) for seed in (1, 2, 3)] for better in (0.0, 0.9))
    t = paired_t([x.mean() for x in a], [x.mean() for x in b])
    assert (by_seed.mean, by_seed.low, by_seed.high, by_seed.p) == pytest.approx((t.mean, t.low, t.high, t.p), rel=1e-6)
    assert (by_seed.n, by_seed.over) == (3, "seeds")
    rows = paired_rows(np.mean(a, axis=0), np.mean(b, axis=0), samples=300, seed=1)
    assert (by_row.mean, by_row.low, by_row.high, by_row.p) == (rows.mean, rows.low, rows.high, rows.p)
    assert (by_row.n, by_row.over) == (60, "rows")
    assert by_row.percent == pytest.approx(100 * rows.mean / np.mean(a))
    assert metric.groups[0].sd == pytest.approx(np.std([x.mean() for x in a], ddof=1), rel=1e-6)


def test_p_values_are_corrected_for_all_metrics_of_a_model(seeds: Any) -> None:
    metrics = [m for m in compared(seeds, "drop0.2", "drop0.4").metrics if m.model == "student" and m.differences]
    assert [m.metric for m in metrics] == ["ndcg@10", "hr@10", "mrr"]
    for kind in (0, 1):
        assert [m.differences[kind].p_holm for m in metrics] == holm([m.differences[kind].p for m in metrics])


def test_the_verdict_follows_the_chosen_correction(world: Any) -> None:
    for seed in (1, 2, 3, 4):
        world.evaluate("a", seed, ranks=world.ranks(seed), teacher=world.ranks(seed))
        world.evaluate("b", seed, "student.dropout=0.3", ranks=world.ranks(seed, 0.25), teacher=world.ranks(seed, 0.9))
    groups = resolve(["a", "b"], world.store)
    for correction, adjust in (("holm", holm), ("bh", benjamini_hochberg)):
        metrics = [m for m in build(groups, Procedure(correction=correction)).metrics if m.differences]
        for model in ("student", "teacher"):
            for kind in (0, 1):
                own = [m.differences[kind] for m in metrics if m.model == model]
                assert [one.p_corrected for one in own] == adjust([one.p for one in own])
                expected = [one.low * one.high > 0 and one.p_corrected <= 0.05 for one in own]
                assert [one.verdict != "undecided" for one in own] == expected


def test_a_clear_difference_is_called_better_with_its_intervals(seeds: Any) -> None:
    comparison = compared(seeds, "drop0.2", "drop0.4")
    (sentence,) = [line for line in comparison.verdict if "ndcg@10" in line]
    assert sentence.startswith("drop0.4 is better than drop0.2 (student): ndcg@10 +")
    assert "95 % interval over 3 seeds +" in sentence
    assert "95 % interval over 60 rows +" in sentence
    assert codes(comparison) == set()


def test_floor_and_ceiling_are_shown_but_not_tested(seeds: Any) -> None:
    floor = [m for m in compared(seeds, "drop0.2", "drop0.4").metrics if m.model == "popularity"]
    assert floor
    assert all(m.differences == [] for m in floor)


def test_a_model_that_both_groups_share_is_told_once_and_not_tested(world: Any) -> None:
    student = world.student("one", 1)
    for name, better in (("one", 0.2), ("other", 0.9)):
        world.evaluate(name, 1, ranks=world.ranks(1), distilled=world.ranks(1, better), student=student)
    comparison = compared(world, "one", "other")
    tested = {metric.model for metric in comparison.metrics if metric.differences}
    assert tested == {"distilled"}
    assert [note.text for note in comparison.notes if note.code == "same-model"] == [
        f"the student is the same in every group, so it is not compared: {student}"
    ]
    assert len(comparison.verdict) == 1 and "(distilled)" in comparison.verdict[0]


def test_one_seed_each_is_never_a_win_however_clear_the_rows_are(world: Any) -> None:
    a = world.evaluate("a", 1, ranks=world.ranks(1))
    b = world.evaluate("b", 1, ranks=world.ranks(1, 0.9))
    comparison = compared(world, a, b)
    metric = next(m for m in comparison.metrics if (m.model, m.metric) == ("student", "ndcg@10"))
    assert [(d.over, d.n, d.verdict) for d in metric.differences] == [("seeds", 1, "undecided"), ("rows", 60, "better")]
    assert (metric.differences[0].low, metric.differences[0].high) == (None, None)
    assert "one-seed" in codes(comparison)
    assert all(" is better" not in line and "undecided" in line for line in comparison.verdict)


def test_other_seeds_pair_no_seed_but_the_rows_that_all_of_them_ranked(world: Any) -> None:
    a, b = world.evaluate("a", 1, ranks=world.ranks(1)), world.evaluate("b", 2, ranks=world.ranks(1, 0.9))
    metric = next(m for m in compared(world, a, b).metrics if (m.model, m.metric) == ("student", "ndcg@10"))
    assert [(d.over, d.n) for d in metric.differences] == [("seeds", 0), ("rows", 60)]


def test_trainings_are_compared_by_the_checkpoint_that_was_kept(world: Any) -> None:
    for seed in (1, 2, 3):
        world.student("a", seed, values=(0.1, 0.2 + seed / 100, 0.15))
        world.student("b", seed, "student.dropout=0.11", values=(0.1, 0.3 + seed / 90, 0.15))
    metrics = {m.metric: m for m in compared(world, "a", "b").metrics}
    assert metrics["val_ndcg@10"].groups[0].values == pytest.approx([0.21, 0.22, 0.23])
    assert metrics["val_recall@10"].groups[0].values == pytest.approx([0.42, 0.44, 0.46])
    assert [d.verdict for d in metrics["val_ndcg@10"].differences] == ["better"]
    assert metrics["loss"].differences == []  # of training rows: no evidence


def test_settings_tell_which_ones_are_the_same(seeds: Any) -> None:
    settings = {row.name: row for row in compared(seeds, "drop0.2", "drop0.4").settings}
    assert (settings["student.dropout"].values, settings["student.dropout"].same) == ([0.2, 0.4], False)
    assert (settings["seed"].values, settings["seed"].same) == (["1, 2, 3", "1, 2, 3"], True)
    assert settings["data.window"].same


def test_settings_of_a_stage_that_only_one_group_has_do_not_set_them_apart(world: Any) -> None:
    teacher = world._add("teacher", "one", 1, [], {"data": world.data}, "")
    for name, inputs in (("one", {"teacher": teacher}), ("other", {})):
        run = world.evaluate(name, 1, ranks=world.ranks(1))
        path = world.store.root / run / "run.json"
        path.write_text(json.dumps((info := json.loads(path.read_text())) | {"inputs": info["inputs"] | inputs}))
    comparison = compared(world, "one", "other")
    assert [row.name for row in comparison.settings if not row.same] == []
    assert any(row.name.startswith("teacher.") for row in comparison.settings)
    assert [note.text for note in comparison.notes if note.code == "stage-missing"] == [
        "no teacher in other: its settings are not held against each other"
    ]


def test_lineage_names_what_all_runs_share(seeds: Any) -> None:
    lineage = compared(seeds, "drop0.2", "drop0.4").lineage
    assert [line.group for line in lineage] == [0, 0, 0, 1, 1, 1]
    assert [(maker.stage, maker.shared_with_all) for maker in lineage[0].made_from] == [
        ("data", True),
        ("student", False),
    ]


def test_the_csv_has_the_numbers_of_the_json_to_the_last_digit(seeds: Any) -> None:
    comparison = compared(seeds, "drop0.2", "drop0.4")
    file = io.StringIO()
    write_csv(comparison, file)
    lines = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert len(lines) == len(list(csv_rows(comparison)))
    answer = json.loads(json.dumps(plain(comparison)))
    assert read(Comparison, answer) == comparison
    index = 0
    for metric in answer["metrics"]:
        for difference in metric["differences"] or [{"base": 0, "other": 1}]:
            line = lines[index]
            index += 1
            assert (line["metric"], line["model"]) == (metric["metric"], metric["model"])
            for side in ("base", "other"):
                spread = metric["groups"][difference[side]]
                for name in ("mean", "sd", "n"):
                    cell = line[f"{side}_{name}"]
                    assert (float(cell) if cell else None) == spread[name]
            for name in ("mean", "percent", "low", "high", "p", "p_holm", "n"):
                assert (float(line[name]) if line[name] else None) == difference.get(name)
    assert index == len(lines)


def test_no_cell_of_the_csv_is_a_formula(seeds: Any) -> None:
    ids = [entry.id for entry in seeds.store.scan() if entry.info.stage == "evaluate"]
    file = io.StringIO()
    write_csv(compared(seeds, f"@SUM(1)={ids[0]}", f"-2+3={ids[3]}"), file)
    row = next(csv.DictReader(io.StringIO(file.getvalue())))
    assert (row["base"], row["other"]) == ("'@SUM(1)", "'-2+3")
