"""The board of an experiment: settings, seeds, the best by validation, time, importance."""

import io
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.compare.board import best, build, main_metric, text, write_csv
from engine.compare.spreads import SettingSpreads
from engine.errors import UserError
from engine.runs.schema import Exit
from engine.wire import BoardMetric, Spread


def sweep(world: Any, label: str = "sweep") -> dict[float, list[str]]:
    """Two seeds of three dropouts; the last one is best: dropout -> runs."""
    runs: dict[float, list[str]] = {}
    for index, dropout in enumerate((0.11, 0.12, 0.13)):
        for seed in (1, 2):
            values = (0.1 + index / 10, 0.2 + index / 10 + seed / 100, 0.1)
            run = world.student(label, seed, f"student.dropout={dropout}", values=values)
            Exit(1, 0, None, "self", "", 10.0 * seed, 2**20 * seed, False, 9.0).write(world.store.root / run)
            runs.setdefault(dropout, []).append(run)
    return runs


def test_a_row_is_a_setting_with_mean_and_spread_over_its_seeds(world: Any) -> None:
    runs = sweep(world)
    board = build("sweep", world.store.scan())
    assert (board.stage, board.settings, board.main) == ("student", ["student.dropout"], "val_ndcg@10")
    assert [(row.values, [run.id for run in row.runs]) for row in board.rows] == [
        ([dropout], ids) for dropout, ids in runs.items()
    ]
    spread = board.rows[2].figures["val_ndcg@10"]
    assert (spread.mean, spread.n) == (pytest.approx(0.415), 2) and spread.sd == pytest.approx(0.00707, abs=1e-5)
    assert spread.values == [pytest.approx(0.41), pytest.approx(0.42)]
    assert board.best == 2
    assert (board.rows[0].seconds, board.rows[0].memory) == (15.0, 2**21)


def test_figures_are_those_of_the_kept_checkpoint(world: Any) -> None:
    run = world.student("kept", 1, values=(0.1, 0.3, 0.2))
    world.student("kept", 1, "student.dropout=0.4", values=(0.1, 0.2, 0.2))
    row = next(row for row in build("kept", world.store.scan()).rows if row.runs[0].id == run)
    assert row.figures["val_recall@10"].mean == pytest.approx(0.6)


def test_unfinished_runs_have_a_row_without_figures(world: Any) -> None:
    sweep(world)
    stopped = world.student("sweep", 1, "student.dropout=0.2", values=(0.9,), stopped=True)
    board = build("sweep", world.store.scan())
    row = next(row for row in board.rows if row.values == [0.2])
    assert (row.runs[0].id, row.finished, row.figures) == (stopped, [], {}) and row.runs[0].state == "STOPPED"
    assert board.rows[board.best or 0].values == [0.13]  # its .9 does not count
    assert "1 STOPPED" in text(board)


def test_a_stopped_seed_counts_for_nothing_beside_finished_ones(world: Any) -> None:
    sweep(world)
    world.student("sweep", 3, "student.dropout=0.11", values=(0.9,), stopped=True)
    row = build("sweep", world.store.scan()).rows[0]
    assert [run.seed for run in row.runs] == [1, 2, 3] and row.figures["val_ndcg@10"].n == 2
    assert [row.value(run, "val_ndcg@10") for run in row.runs] == [pytest.approx(0.21), pytest.approx(0.22), None]


def test_the_best_evaluation_is_chosen_on_validation_rows_of_the_last_trained_model(world: Any) -> None:
    for dropout, better in ((0.1, 0.2), (0.4, 0.9)):
        world.evaluate("eval", 1, f"student.dropout={dropout}", ranks=world.ranks(1, better))
    board = build("eval", world.store.scan())
    assert board.stage == "evaluate" and board.settings == ["student.dropout"]
    assert {metric.name for metric in board.metrics} >= {"student ndcg@10", "student hr@10", "student train_seconds"}
    assert not any(metric.name.startswith("popularity") for metric in board.metrics)
    assert board.main == "student ndcg@10"  # these evaluations ranked no validation rows
    assert board.rows[board.best or 0].values == [0.4]
    assert build("eval", world.store.scan(), stage="student").stage == "student"


def test_of_a_metric_that_is_to_be_small_the_smallest_mean_is_best(world: Any) -> None:
    sweep(world)
    figures = [{"val_loss": Spread(value, None, 1, [value])} for value in (2.0, 1.0, 3.0)]
    rows = [
        replace(row, figures=own) for row, own in zip(build("sweep", world.store.scan()).rows, figures, strict=True)
    ]
    assert best(rows, BoardMetric("val_loss", "min")) == 1 and best(rows, BoardMetric("val_loss", "max")) == 2
    assert best(rows, BoardMetric("val_loss", "")) is None and best(rows, BoardMetric("other", "max")) is None


def test_test_rows_choose_nothing_where_validation_rows_were_ranked() -> None:
    named = [("ndcg@10", "distilled"), ("val_ndcg@10", "student"), ("val_ndcg@10", "distilled"), ("hr@10", "student")]
    lines = [SettingSpreads(metric, model, "max", []) for metric, model in named]
    assert main_metric(lines).name == "distilled val_ndcg@10"
    assert main_metric(lines, "hr@10").name == "student hr@10"
    assert main_metric([]).name == ""


def test_another_metric_may_choose(world: Any) -> None:
    sweep(world)
    board = build("sweep", world.store.scan(), metric="val_recall@10")
    assert board.main == "val_recall@10"
    with pytest.raises(UserError, match="no metric 'hr@3'") as error:
        build("sweep", world.store.scan(), metric="hr@3")
    assert "val_ndcg@10, val_recall@10" in str(error.value)


def test_the_importance_of_settings_is_optunas(world: Any) -> None:
    for number, rate in enumerate(np.linspace(1e-3, 1e-2, 8).round(5)):
        blocks = 1 + number % 2
        overrides = (f"student.learning_rate={rate}", f"student.blocks={blocks}")
        world.student("search", 1, *overrides, values=(0.1, 0.2 + 10 * float(rate)))
    board = build("search", world.store.scan())
    assert board.importances[0].setting == "student.learning_rate" and board.importances[0].share > 0.5
    assert sum(one.share for one in board.importances) == pytest.approx(1.0)
    assert "importance for val_ndcg@10 (PED-ANOVA): student.learning_rate" in text(board)


def test_too_few_settings_have_no_importance_and_it_says_why(world: Any) -> None:
    sweep(world)
    board = build("sweep", world.store.scan())
    assert board.importances == [] and board.note == "importance needs 4 settings with a figure; there are 3"


def test_without_a_label_the_newest_experiment_with_several_runs_is_shown(world: Any) -> None:
    sweep(world, "older")
    sweep(world, "newer")
    world.student("single", 1)
    assert build("", world.store.scan()).experiment == "newer"


@pytest.mark.parametrize(
    ("label", "stage", "message"),
    [
        ("sweeep", "", "no experiment is called 'sweeep'.*sweep"),
        ("sweep", "teacher", "'sweep' has no teacher run.*student"),
    ],
)
def test_unknown_names_are_answered_with_known_ones(world: Any, label: str, stage: str, message: str) -> None:
    sweep(world)
    with pytest.raises(UserError) as error:
        build(label, world.store.scan(), stage=stage)
    assert re.search(message, " ".join(str(error.value).split()))


def test_no_experiment_at_all_is_a_message(world: Any) -> None:
    with pytest.raises(UserError, match="no experiment has several runs"):
        build("", [])


def test_the_text_has_the_best_first_and_a_star(world: Any) -> None:
    sweep(world)
    lines = text(build("sweep", world.store.scan())).splitlines()
    assert lines[0].startswith("sweep: 3 settings of student, 6 runs, 1:30 in all")
    table = [line for line in lines if "±" in line and "0." in line][:3]
    assert table[0].startswith("* 1, 2") and "0.13" in table[0] and "0.4150 ±0.0071" in table[0]
    assert max(map(len, lines)) <= 80


def test_the_csv_has_a_row_per_run(world: Any) -> None:
    runs = sweep(world)
    file = io.StringIO()
    assert write_csv(build("sweep", world.store.scan()), file) == 6
    head, *rows = [line.split(",") for line in file.getvalue().splitlines()]
    assert head[:6] == ["experiment", "run", "seed", "state", "student.dropout", "val_ndcg@10"]
    assert [row[1] for row in rows] == [run for own in runs.values() for run in own]
    assert float(rows[-1][4]) == 0.13 and float(rows[-1][5]) == pytest.approx(0.42)
    assert [row[-1] for row in rows] == ["false"] * 4 + ["true"] * 2
