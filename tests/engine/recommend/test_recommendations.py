import csv
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from engine import cli
from engine.errors import RunError
from engine.recommend.histories import Histories
from engine.recommend.recommendations import COLUMNS, Recommender, best_items, load, rows, write_csv, write_vectors
from engine.recommend.titles import Titles
from engine.runs.schema import ARTIFACTS


@pytest.fixture(scope="session")
def recommender(finished: Path) -> Recommender:
    return load(finished)


def histories(*lists: list[int]) -> Histories:
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    flat = np.array([item for one in lists for item in one], dtype=np.int32)
    return Histories([f"u{n}" for n in range(len(lists))], flat, offsets, [])


def slow_list(recommender: Recommender, history: list[int], hide: bool) -> list[tuple[int, float]]:
    model = recommender.model
    with torch.no_grad():
        state = model.user_vectors(torch.tensor([history[-model.max_length :]]))[0].double()
        scores = model.item_table()[0].double() @ state
    items = [i for i in range(1, 61) if not (hide and i in history)]
    return [(i, float(scores[i])) for i in sorted(items, key=lambda i: -scores[i])]


@pytest.mark.parametrize("hide", [True, False])
def test_recommendations_are_the_best_scores_of_the_latest_items(recommender: Recommender, hide: bool) -> None:
    asked = [[5, 9, 1, 2, 3, 4, 7, 8], [60], [11, 12, 13]]
    for history, found in zip(asked, best_items(recommender.model, histories(*asked), 10, hide), strict=True):
        expected = slow_list(recommender, history, hide)[:10]
        assert [item for item, _ in found] == [item for item, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_a_list_is_shorter_where_everything_has_been_seen(recommender: Recommender) -> None:
    (found,) = best_items(recommender.model, histories(list(range(1, 58))), 10)
    assert sorted(item for item, _ in found) == [58, 59, 60]


@pytest.mark.parametrize("name", ["evaluate-1", "student-1"])
def test_a_run_is_asked_for_its_trained_model(finished: Path, name: str) -> None:
    found = load(finished.parent / name)
    assert found.name == "student-1"
    assert found.catalogue.titles[7] == "Item 7"
    assert found.catalogue.raw[7] == "r7"


def test_a_run_without_a_model_says_which_runs_have_one(finished: Path) -> None:
    with pytest.raises(RunError, match="distill or evaluate"):
        load(finished.parent / "data-1")


def test_a_model_that_is_gone_says_how_to_make_it_again(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished.parent, tmp_path / "runs")
    (tmp_path / "runs" / "student-1" / ARTIFACTS / "model.safetensors").unlink()
    with pytest.raises(RunError, match="engine run student"):
        load(tmp_path / "runs" / "evaluate-1")


def test_the_csv_has_a_row_per_user_and_rank_that_no_spreadsheet_executes(
    recommender: Recommender, tmp_path: Path
) -> None:
    dangerous = Recommender("x", recommender.model, Titles(["", *["=1+1"] * 60], ["", *["@a"] * 60]))
    asked = Histories(["-cmd", "bob"], np.array([1, 2], dtype=np.int32), np.array([0, 1, 2]), [])
    assert write_csv(tmp_path / "out.csv", rows(dangerous, asked, 3)) == 6
    with (tmp_path / "out.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == COLUMNS
    assert [(row["user"], row["rank"]) for row in table] == [(u, str(k)) for u in ("'-cmd", "bob") for k in (1, 2, 3)]
    assert {(row["raw"], row["title"]) for row in table} == {("'@a", "'=1+1")}
    assert float(table[0]["score"]) >= float(table[1]["score"])


def test_exported_vectors_multiply_to_the_scores(recommender: Recommender, tmp_path: Path) -> None:
    asked = histories([5, 9], [60])
    write_vectors(tmp_path / "v.parquet", recommender, asked)
    users = pq.read_table(tmp_path / "v.parquet").to_pydict()
    items = pq.read_table(tmp_path / "v.items.parquet").to_pydict()
    assert (users["user"], items["item"], items["raw"][6]) == (["u0", "u1"], list(range(1, 61)), "r7")
    scores = np.array(users["vector"]) @ np.array(items["vector"]).T + np.array(items["bias"])
    for row, found in enumerate(best_items(recommender.model, asked, 60, hide_seen=False)):
        for item, score in found:
            assert scores[row, item - 1] == pytest.approx(score, abs=1e-5)


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished.parent, tmp_path / "runs")
    return tmp_path / "runs"


def test_the_command_writes_a_file_for_new_users_and_tells_what_it_does_not_know(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "h.csv").write_text("user,title\nann,Item 5\nann,Itemm 77\nbob,r2\n")
    out = tmp_path / "out.csv"
    arguments = ["recommend", "student-1", "--runs", str(store), "--file", str(tmp_path / "h.csv"), "--csv", str(out)]
    assert cli.main(arguments) == 0
    assert "line 3: no item is called 'Itemm 77'; nearest:" in capsys.readouterr().err
    assert len(out.read_text().splitlines()) == 1 + 2 * 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["student-1"], "--user ID or --file"),
        (["student-1", "--history", "r5", "--user", "u1"], "--history and --user"),
        (["student-1", "--user", "u1", "--csv", "x.csv"], "Leave out --user"),
        (["student-1", "--user", "ann"], "no validation row"),
        (["student-1", "--history", "Itm 5"], "nearest"),
        (["student-1", "--history", "r5", "--count", "0"], "at least 1"),
        (["data-1", "--history", "r5"], "no recommender"),
        (["nothing", "--history", "r5"], "no run"),
    ],
)
def test_a_wrong_question_ends_with_a_remedy_and_status_two(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.main(["recommend", *arguments, "--runs", str(store)]) == 2
    assert message in capsys.readouterr().err
