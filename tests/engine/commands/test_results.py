"""``engine results`` over finished evaluations of two settings with three seeds each."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.wire import Board, read

Captured = pytest.CaptureFixture[str]


def answer(capsys: Captured, world: Any, *arguments: str) -> Any:
    assert main(["results", *arguments, "--json", "--runs", str(world.store.root)]) == 0
    return json.loads(capsys.readouterr().out)


def test_there_is_one_row_per_model_and_finished_evaluation(seeds: Any, capsys: Captured) -> None:
    rows = answer(capsys, seeds)
    assert len(rows) == 2 * 3 * 2 and {row["model"] for row in rows} == {"popularity", "student"}
    assert {row["experiment"] for row in answer(capsys, seeds, "drop0.4")} == {"drop0.4"}


def test_all_shows_every_protocol(seeds: Any, capsys: Captured) -> None:
    assert len(answer(capsys, seeds, "drop0.4", "--all")) == 2 * len(answer(capsys, seeds, "drop0.4"))


def test_seeds_give_one_group_per_setting(seeds: Any, capsys: Captured) -> None:
    groups = answer(capsys, seeds, "--seeds")
    assert len(groups) == 2
    assert main(["results", "--seeds", "--runs", str(seeds.store.root)]) == 0
    assert "±" in capsys.readouterr().out


def test_the_table_is_written_to_a_file_or_to_stdout(seeds: Any, capsys: Captured, tmp_path: Path) -> None:
    runs = ["--runs", str(seeds.store.root)]
    assert main(["results", "--csv", str(tmp_path / "a.csv"), *runs]) == 0
    assert "12 rows in" in capsys.readouterr().err
    assert main(["results", "--csv", "-", *runs]) == 0
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "a.csv").read_text()
    assert len(list(csv.DictReader(printed.splitlines()))) == 12


def test_without_an_evaluation_it_shows_how_to_start(tmp_path: Path, capsys: Captured) -> None:
    assert main(["results", "--runs", str(tmp_path)]) == 0
    assert "engine run" in capsys.readouterr().err


def test_a_board_is_printed_written_and_read_by_the_cockpit(world: Any, capsys: Captured, tmp_path: Path) -> None:
    for seed in (1, 2):
        for dropout in ("0.1", "0.2"):
            world.student("sweep", seed, f"student.dropout={dropout}", values=(0.1, 0.2 + float(dropout)))
    board = read(Board, answer(capsys, world, "sweep", "--board"))
    assert [row.values for row in board.rows] == [[0.1], [0.2]] and board.best == 1
    runs = ["--runs", str(world.store.root)]
    assert main(["results", "--board", *runs]) == 0
    assert "sweep: 2 settings of student, 4 runs" in capsys.readouterr().out
    assert main(["results", "sweep", "--board", "--csv", "-", *runs]) == 0
    assert len(list(csv.DictReader(capsys.readouterr().out.splitlines()))) == 4
    assert main(["results", "sweep", "other", "--board", *runs]) == 2
    assert "a board is of one experiment" in capsys.readouterr().err


def test_a_file_is_written_beside_the_json(seeds: Any, capsys: Captured, tmp_path: Path) -> None:
    for words in ([], ["--seeds"], ["drop0.4", "--board"]):
        file = tmp_path / f"{len(words)}.csv"
        assert answer(capsys, seeds, *words, "--csv", str(file)) and file.read_text().count("\n") > 1


@pytest.mark.parametrize(("format", "begin"), [("markdown", "| setting"), ("latex", "% needs"), ("html", "<table>")])
def test_a_table_for_a_paper_is_printed(seeds: Any, capsys: Captured, format: str, begin: str) -> None:
    runs = ["--runs", str(seeds.store.root)]
    assert main(["results", "--format", format, *runs]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(begin) and "Mean ± standard" in printed.replace("$\\pm$", "±")
    assert main(["results", "--format", format, "--board", *runs]) == 0
    assert "dropout" in capsys.readouterr().out


def test_the_numbers_of_a_table_for_a_paper_are_csv_and_go_with_no_other_form(seeds: Any, capsys: Captured) -> None:
    runs = ["--runs", str(seeds.store.root)]
    assert main(["results", "--format", "csv", *runs]) == 0
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {line["n"] for line in lines} == {"3"} and {line["mark"] for line in lines} >= {"best"}
    assert main(["results", "--format", "latex", "--json", *runs]) == 2
    assert "goes with none of" in capsys.readouterr().err


def worlds(world: Any, label: str, *overrides: str) -> None:
    """Three seeds, each with other test targets."""
    for seed in (1, 2, 3):
        world.evaluate(label, seed, *(one.format(seed) for one in overrides), ranks=world.ranks(seed), targets=seed)


def test_seeds_with_data_of_their_own_are_pooled_where_the_settings_say_so_and_all_targets_are_named(
    world: Any, capsys: Captured
) -> None:
    worlds(world, "worlds", "data.world.seed={}")
    (group,) = answer(capsys, world, "--seeds")
    hashes = {row["targets_hash"] for row in answer(capsys, world)}
    assert group["seeds"] == [1, 2, 3] and len(hashes) == 3
    assert all(one in group["protocol"] for one in hashes)
    assert "(seed 3): each seed has data of its own (data.world.seed)" in group["protocol"]


def test_runs_of_the_same_settings_that_ranked_other_rows_are_no_seeds_of_each_other(
    world: Any, capsys: Captured
) -> None:
    """The files behind the settings have changed."""
    worlds(world, "changed")
    groups = answer(capsys, world, "--seeds")
    hashes = [row["targets_hash"] for row in answer(capsys, world) if row["model"] == "student"]
    assert [group["seeds"] for group in groups] == [[1], [2], [3]]
    assert sorted(group["name"] for group in groups) == sorted(f"changed  targets={one}" for one in hashes)
    assert all(one in group["protocol"] for one, group in zip(hashes, groups, strict=True))
    assert all("data of its own" not in group["protocol"] for group in groups)


def test_a_table_for_a_paper_keeps_them_apart_too(world: Any, capsys: Captured) -> None:
    worlds(world, "changed")
    hashes = {row["targets_hash"] for row in answer(capsys, world)}
    assert main(["results", "--format", "markdown", "--runs", str(world.store.root)]) == 0
    printed = capsys.readouterr().out
    assert all(printed.count(one) == 3 for one in hashes)  # of two models' rows and in the protocol
