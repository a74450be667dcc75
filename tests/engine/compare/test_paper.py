"""Tables for a paper from finished evaluations: spreads, marks by tests, data sets side by side, settings as checks."""

import csv
import io
import itertools
from typing import Any

import numpy as np
import pytest

from engine.compare.differences import Procedure
from engine.compare.groups import member_of
from engine.compare.paper import ALIKE, BEST, PaperRow, ablation_table, models_table, notes_of, part, rows_of, write_csv
from engine.errors import UserError
from engine.evaluate.figures import per_row
from engine.metrics.statistics import holm, paired_rows, paired_t
from engine.report.markup import CHECK


def members(world: Any) -> list[Any]:
    entries = world.store.scan()
    by_id = {entry.id: entry for entry in entries}
    return [member_of(entry, by_id) for entry in entries if entry.info.stage == "evaluate"]


def found(world: Any, **procedure: str) -> list[PaperRow]:
    return rows_of(members(world), Procedure(**procedure))[0]


def marks(rows: list[PaperRow], metric: str = "ndcg@10") -> dict[str, str]:
    return {row.model: row.marks[metric] for row in rows if metric in row.marks}


def teach(
    world: Any, label: str = "a", *overrides: str, shares: tuple[float, ...] = (0.0, 0.85, 0.9), **more: Any
) -> None:
    for seed in (1, 2, 3):
        student, distilled, teacher = (world.ranks(seed, share) for share in shares)
        world.evaluate(label, seed, *overrides, ranks=student, distilled=distilled, teacher=teacher, **more)


def test_the_best_is_marked_and_so_is_what_the_tests_do_not_tell_from_it(world: Any) -> None:
    teach(world)
    rows = found(world)
    assert marks(rows) == {"teacher": BEST, "distilled": ALIKE}
    values = {
        (model, metric): [per_row(world.ranks(seed, share))[metric] for seed in (1, 2, 3)]
        for model, share in (("student", 0.0), ("teacher", 0.9), ("distilled", 0.85))
        for metric in ("ndcg@10", "hr@10")
    }
    tests: dict[Any, tuple[Any, Any]] = {}
    for metric in ("ndcg@10", "hr@10"):
        for pair in itertools.combinations(("student", "teacher", "distilled"), 2):
            a, b = (values[model, metric] for model in pair)
            over_rows = paired_rows(np.mean(a, axis=0), np.mean(b, axis=0), 300, 1)
            tests[metric, pair] = paired_t([x.mean() for x in a], [x.mean() for x in b]), over_rows
    p = [dict(zip(tests, holm([both[kind].p for both in tests.values()]), strict=True)) for kind in (0, 1)]
    key = ("ndcg@10", ("teacher", "distilled"))
    assert not all(p[kind][key] <= 0.05 and tests[key][kind].low * tests[key][kind].high > 0 for kind in (0, 1))
    key = ("ndcg@10", ("student", "teacher"))
    assert all(p[kind][key] <= 0.05 and tests[key][kind].low > 0 for kind in (0, 1))


def test_one_seed_decides_nothing(world: Any) -> None:
    world.evaluate("a", 1, ranks=world.ranks(1), teacher=world.ranks(1, 0.9))
    rows = found(world)
    assert marks(rows) == {"student": ALIKE, "teacher": BEST}
    assert "One seed each" in notes_of(rows, [], Procedure())[0]


def test_data_sets_are_groups_of_columns_and_models_are_rows(world: Any) -> None:
    teach(world, "a", named="first")
    teach(world, "b", named="second", data=world.other_data(), shares=(0.9, 0.0, 0.0))
    rows = found(world)
    table = models_table(rows, ["note"])
    assert list(table.stub) == ["model"]
    assert [(name, list(columns)) for name, columns in table.groups] == [
        (name, ["ndcg@10", "hr@10", "train s", "ms/request"]) for name in ("first", "second")
    ]
    printed = {leading[0]: cells for leading, cells in table.rows}
    assert list(printed) == ["popularity (floor)", "student", "teacher", "distilled"]
    assert printed["student"][4].best and printed["teacher"][0].best and not printed["student"][0].alike
    spread = next(row for row in rows if (row.data, row.model) == ("second", "student")).spreads["ndcg@10"]
    assert printed["student"][4].text == f"{spread.mean:.4f} ±{spread.sd:.4f}"
    assert printed["student"][6].text == "5.0" and printed["student"][7].text == "1.00"  # costs, means over seeds
    file = io.StringIO()
    count = write_csv(rows, file)
    lines = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert count == len(lines)
    (line,) = [one for one in lines if (one["data"], one["model"], one["metric"]) == ("second", "student", "ndcg@10")]
    assert (float(line["mean"]), float(line["sd"]), line["n"], line["mark"]) == (spread.mean, spread.sd, "3", BEST)


def test_several_settings_stand_below_each_other_and_are_tested_against_each_other(world: Any) -> None:
    teach(world, "a", "student.dropout=0.2", shares=(0.0, 0.1, 0.0))
    teach(world, "b", "student.dropout=0.3", shares=(0.9, 0.1, 0.0))
    rows = found(world)
    table = models_table(rows, [])
    assert list(table.stub) == ["setting", "model"] and len(table.rows) == 8
    best = [leading for leading, cells in table.rows if cells[0].best]
    assert best == [("b", "student")]
    assert not any(cells[0].alike for leading, cells in table.rows if leading == ("a", "student"))


def test_an_ablation_has_check_marks_for_what_is_on(world: Any) -> None:
    teach(world, "all", "student.normalise=true", "student.clip=1.0", shares=(0.0, 0.9, 0.0))
    teach(world, "less", "student.normalise=false", "student.clip=1.0", shares=(0.0, 0.5, 0.0))
    teach(world, "none", "student.normalise=false", "student.clip=null", shares=(0.0, 0.1, 0.0))
    table = ablation_table(found(world), [])
    normalise, clip = (list(table.stub).index(name) for name in ("normalise", "clip"))
    assert [(row[normalise], row[clip]) for row, _ in table.rows] == [(CHECK, CHECK), ("", CHECK), ("", "")]
    assert [cells[0].best for _, cells in table.rows] == [True, False, False]
    assert "distilled" in table.caption
    with pytest.raises(UserError, match="differ in no setting"):
        ablation_table([row for row in found(world) if row.group.name.startswith("all")], [])


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([True, False], [CHECK, ""]),
        ([0.3, 0.0], [CHECK, ""]),
        ([0.3, 0.0, 0.5], ["0.3", "", "0.5"]),
        (["key", "text"], ["key", "text"]),
        ([1, 2], ["1", "2"]),
        ([[1.0], None], [CHECK, ""]),
        ([None, False], ["-", "false"]),
    ],
)
def test_a_part_is_checked_off_or_written(values: list[object], shown: list[str]) -> None:
    assert [part(values, value) for value in values] == shown
