from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.errors import RunError
from engine.recommend.panel import Panel
from engine.recommend.per_user_gain import GAINED, LOST, compared, evaluated_ranks, order

RANKS = {"student": np.array([1.0, 100.0, 4.0]), "distilled": np.array([50.0, 1.0, 4.0]), "teacher": np.ones(3)}


def test_who_gained_most_comes_first_and_who_lost_most_last() -> None:
    assert order(RANKS, GAINED).tolist() == [1, 2, 0]
    assert order(RANKS, LOST).tolist() == [0, 2, 1]


def test_without_a_distilled_student_the_teacher_is_compared() -> None:
    assert compared(RANKS) == "distilled"
    assert compared({"student": RANKS["student"], "teacher": RANKS["teacher"]}) == "teacher"
    with pytest.raises(RunError, match="ranked no student beside") as error:
        compared({"distilled": RANKS["distilled"]})
    assert "evaluate.models" in error.value.remedy


def test_the_ranks_are_those_of_the_evaluations_main_table(seven_stages: Path) -> None:
    found = evaluated_ranks(seven_stages / "evaluate")
    assert set(found) == {"student", "teacher", "distilled"}
    lines = pq.read_table(seven_stages / "evaluate" / "artifacts" / "ranks.parquet").to_pylist()
    for line in lines:
        if line["split"] == "test" and line["hide_seen"] and line["candidates"] == "all":
            assert found[line["model"]][line["row"]] == line["rank"]


def test_only_an_evaluation_can_order_its_users(seven_stages: Path) -> None:
    with pytest.raises(RunError, match="only an evaluation"):
        Panel(seven_stages / "student").rows_by(GAINED, "")
    panel = Panel(seven_stages / "evaluate")
    rows = panel.rows_by(GAINED, "1")
    assert sorted(rows) == sorted(panel.users.search("1"))
    gains = 1 / panel.ranks["distilled"] - 1 / panel.ranks["student"]
    assert gains[rows].tolist() == sorted(gains[rows].tolist(), reverse=True)
    assert panel.rows_by("row", "") == list(range(60))
