"""Lists and ranks of people who take items again follow the protocol that suits the data."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.cli import main
from engine.data.sequences import Rows, Sequences
from engine.recommend.panel import HIDDEN, Panel, RecommendRequest
from engine.recommend.per_user_gain import evaluated_ranks
from engine.recommend.recommendations import load
from engine.runs.schema import ARTIFACTS
from tests.fixtures.tiny_pipeline import Pipeline


@pytest.fixture
def evaluated(tmp_path: Path, sequences: Sequences, held_out: Rows, validation_rows: Rows) -> Path:
    """An evaluation in which the first thirty users take the first item of their history again."""
    parts = []
    for rows in (held_out, validation_rows):
        items = rows.items.copy()
        items[rows.stop[:30]] = items[rows.start[:30]]
        parts.append(Rows(items, rows.start, rows.stop, rows.users))
    return Pipeline(tmp_path, sequences, *parts).evaluate()


def test_ranks_and_lists_are_those_of_the_evaluation_under_either_protocol(evaluated: Path) -> None:
    panel = Panel(evaluated)
    panel.load("student")
    assert panel.hide_seen is False and load(evaluated).hide_seen is False
    lines = pq.read_table(evaluated / ARTIFACTS / "ranks.parquet").to_pylist()
    ranks = {
        (line["hide_seen"], line["row"]): line["rank"]
        for line in lines
        if (line["model"], line["split"], line["candidates"]) == ("student", "test", "all")
    }
    for row in range(0, 40, 3):
        history = panel.users.history(row)
        for wanted, hidden in ((None, False), (True, True), (False, False)):
            (student, *_) = panel.answer(RecommendRequest(history, row, 10, wanted)).columns
            listed = [item.item for item in student.items]
            assert (ranks[hidden, row] <= 10) == (panel.users.next(row) in listed)
            assert student.next_rank == (None if np.isinf(ranks[hidden, row]) else ranks[hidden, row])
            assert student.note == (HIDDEN if hidden and row < 30 else "")
            assert not hidden or not set(listed) & set(history.tolist())
    assert evaluated_ranks(evaluated)["student"].tolist() == [ranks[False, row] for row in range(40)]


def test_the_command_says_that_a_hidden_item_has_no_rank(evaluated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["recommend", evaluated.name, "--runs", str(evaluated.parent), "--user", "u3"]
    assert main([*asked, "--no-show-seen"]) == 0
    assert "items are hidden: it has no rank" in " ".join(capsys.readouterr().out.split())
    assert main(asked) == 0
    assert "rank by student" in capsys.readouterr().out
