"""``engine sweep`` as a person types it, with real processes."""

import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.commands.overrides import repeatable_label
from engine.jobs.store import Store

TINY = [
    *("data.world.users=60", "data.world.items=80", "data.world.series=20", "student.hidden=8", "student.blocks=1"),
    *("student.batch=32", "student.epochs=2", "student.max_length=10"),
]


def test_a_plan_tells_what_is_shared_and_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sweep", "student", *TINY, "student.dropout=0.1,0.2", "seed=1..2", "--runs", str(tmp_path), "--plan"]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [len(point["steps"]) for point in told["combinations"]] == [2, 2, 2, 2]
    assert told["runs"]["new"] == 5
    assert main(arguments) == 0
    assert "data shared" in capsys.readouterr().out
    assert Store(tmp_path).scan() == []


def test_a_combination_that_fails_hinders_no_other_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [(user, item) for user in range(1, 9) for item in range(1, 7)]
    (tmp_path / "u.data").write_text("".join(f"{user}\t{item}\t5\t{item}\n" for user, item in events))
    (tmp_path / "u.item").write_text("".join(f"{n}|Film {n} (1990)" + "|" * 22 + "\n" for n in range(1, 7)))
    files = ["data=ml-100k", f"data.path={tmp_path}", "data.core_users=0,1000"]
    assert main(["sweep", "data", *files, "--runs", str(tmp_path / "runs"), "--json"]) == 1
    out = capsys.readouterr()
    told = json.loads(out.out)
    assert [point["state"] for point in told["combinations"]] == ["DONE", "FAILED"], out.err
    assert "error: data.core_users=1000: data-" in out.err
    assert {entry.info.experiment for entry in Store(tmp_path / "runs").scan()} == {told["experiment"]}


@pytest.mark.slow
def test_the_mean_over_seeds_is_told_of_every_setting_that_could_be_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sweep", "student", *TINY, "student.learning_rate=1e-3,1e30", "seed=1,2", "student.clip=null"]
    assert main([*arguments, "--runs", str(tmp_path), "--json", "--experiment", "grid"]) == 1
    out = capsys.readouterr()
    told = json.loads(out.out)
    assert [point["state"] for point in told["combinations"]] == ["DONE", "DONE", "FAILED", "FAILED"]
    assert told["groups"] == [{"name": "student.learning_rate=1e-3", "seeds": [1, 2]}]
    (ndcg,) = [line for line in told["figures"] if line["metric"] == "val_ndcg@10"]
    assert (ndcg["groups"][0]["n"], len(ndcg["groups"][0]["values"])) == (2, 2)
    assert "error: student.learning_rate=1e30 seed=1" in out.err
    assert "2 of 4 combinations failed" in out.err
    runs = [entry.info for entry in Store(tmp_path).scan()]
    assert sorted(info.stage for info in runs) == ["data", *["student"] * 4]
    assert {info.experiment for info in runs} == {"grid"}


def test_the_same_words_get_the_same_label() -> None:
    arguments = ["seed=1,2", "student.dropout=0.1,0.2"]
    assert repeatable_label("sweep", "student", arguments) == repeatable_label("sweep", "student", arguments[::-1])
    assert repeatable_label("sweep", "student", arguments) != repeatable_label("sweep", "evaluate", arguments)
    assert repeatable_label("sweep", "student", [*arguments, "data=ml-1m"]).startswith("ml-1m-sweep-")


def test_one_combination_is_no_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "student", "seed=1", "--runs", str(tmp_path)]) == 2
    assert "engine run" in capsys.readouterr().err
