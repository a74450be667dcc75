"""``engine export``: the files of the published DLLM2Rec."""

import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.jobs.store import Store
from engine.knowledge.rankings import Rankings
from engine.runs.schema import RunInfo, new_id
from engine.stages import RANKINGS

Captured = pytest.CaptureFixture[str]


def test_a_data_run_gives_the_rows_to_rank_and_the_titles(seven_stages: Path, tmp_path: Path, capsys: Captured) -> None:
    arguments = ["export", "data", "--to", str(tmp_path), "--json", "--runs", str(seven_stages)]
    assert main(arguments) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == sorted(path.name for path in tmp_path.iterdir()) == ["id2name.txt", "train_data.csv"]
    names = (tmp_path / "id2name.txt").read_text().splitlines()
    assert len(names) == 80 and names[0].startswith("0::")
    rows = len(Rankings.load(seven_stages / "knowledge" / "artifacts" / RANKINGS.file).rows)
    assert len((tmp_path / "train_data.csv").read_text().splitlines()) == 1 + rows


def test_a_knowledge_run_gives_its_rankings_and_item_vectors_too(
    seven_stages: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["export", "knowledge", "--to", str(tmp_path), "--runs", str(seven_stages)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert sorted(printed) == sorted(str(path) for path in tmp_path.iterdir()) and len(printed) > 2


def test_other_stages_and_files_in_place_of_a_folder_are_errors(
    seven_stages: Path, tmp_path: Path, capsys: Captured
) -> None:
    runs = ["--runs", str(seven_stages)]
    assert main(["export", "student", "--to", str(tmp_path), *runs]) == 2
    assert "is a student run" in capsys.readouterr().err
    assert main(["export", "data", "--to", str(tmp_path / ("x" * 300)), *runs]) == 2
    assert "File name too long" in capsys.readouterr().err
    store = Store(tmp_path / "runs")
    waiting = store.create(RunInfo(new_id("data"), "data", "test", 1, "f" * 8), "")
    assert main(["export", waiting.name, "--to", str(tmp_path), "--runs", str(store.root)]) == 2
    assert "WAITING" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["export", "data", "--to", str(tmp_path / "file"), *runs]) == 2
    assert "not a folder" in capsys.readouterr().err


def test_model_gives_the_student_as_files(seven_stages: Path, tmp_path: Path, capsys: Captured) -> None:
    arguments = ["export", "model", "evaluate", "--to", str(tmp_path), "--format", "npy", "--runs", str(seven_stages)]
    assert main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["files"] == sorted(path.name for path in tmp_path.iterdir())
    assert {"item_vectors.npy", "items.jsonl", "model_card.md"} <= set(answer["files"])


def test_adapter_gives_a_users_mixture(seven_stages: Path, tmp_path: Path, capsys: Captured) -> None:
    arguments = ["export", "adapter", "teacher", "--to", str(tmp_path), "--runs", str(seven_stages)]
    assert main([*arguments, "--user", "7"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2 and "mixed e0 " in printed.err
    assert main(arguments) == 2
    assert "--user ID" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data", "--format", "npy"], "--format does not belong"),
        (["adapter", "teacher", "--count", "5"], "--count does not belong"),
        (["model", "student", "--user", "7"], "--user does not belong"),
        (["model", "student", "--count", "0"], "at least one item"),
        (["model"], "engine export model ID --to DIR"),
        (["model", "student", "--model", "distilled"], "no distill run"),
    ],
)
def test_options_that_do_not_fit_are_errors(
    seven_stages: Path, tmp_path: Path, capsys: Captured, words: list[str], message: str
) -> None:
    assert main(["export", *words, "--to", str(tmp_path), "--runs", str(seven_stages)]) == 2
    assert message in capsys.readouterr().err
