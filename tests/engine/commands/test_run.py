"""``engine run`` as a person types it, with real processes."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.experiments.plan import REUSE, Step
from engine.jobs.store import Store

TINY = ["data.world.users=60", "data.world.items=80", "data.world.series=20"]


def test_a_plan_prints_a_line_per_step_and_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "student", *TINY, "--plan", "--runs", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["new", "data"], ["new", "student"]]
    assert main(["run", "student", *TINY, "--plan", "--json", "--runs", str(tmp_path)]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert [set(step) for step in steps] == [{"stage", "action", "run", "fingerprint", "why"}] * 2
    assert Store(tmp_path).scan() == []


def test_a_run_is_labelled_by_option_or_else_by_its_experiment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "data", *TINY, "--runs", str(tmp_path)]) == 0
    assert main(["run", "data", *TINY, "data.world.seed=2", "--experiment", "mine", "--runs", str(tmp_path)]) == 0
    assert [entry.info.experiment for entry in Store(tmp_path).scan()] == ["demo", "mine"]
    assert "new      data-" in capsys.readouterr().err


def test_a_failure_that_the_user_can_fix_is_explained_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "u.data").write_text("1\t1\t5\t1\n1\t2\t5\t2\n1\t3\t5\t3\n")
    (tmp_path / "u.item").write_text("".join(f"{n}|Film {n} (1990)" + "|" * 22 + "\n" for n in (1, 2, 3)))
    words = ["data=ml-100k", f"data.path={tmp_path}", "data.core_users=1000", "--runs", str(tmp_path / "runs")]
    assert main(["run", "data", *words]) == 2
    message = capsys.readouterr().err
    (entry,) = Store(tmp_path / "runs").scan()
    assert f"error: {entry.id} FAILED" in message and "core_users" in message


def test_a_reused_evaluation_says_that_it_keeps_its_size_of_the_search(
    world: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = world.evaluate("try", 1, "search.student=20", ranks=world.ranks(1))
    monkeypatch.setattr(
        "engine.experiments.plan._step", lambda stage, *_, **__: Step(stage, "", REUSE, run, "finished")
    )
    words = ["run", "evaluate", "evaluate.models=[popularity,student]", "--json", "--runs", str(world.store.root)]
    assert main([*words, "search.student=20"]) == 0
    assert "size of the search" not in capsys.readouterr().err
    assert main([*words, "search.student=30"]) == 0
    assert (
        f"{run} keeps the size of the search that it was made with (search.student 20 → 30)" in capsys.readouterr().err
    )


RATINGS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{user},{100 + (7 * user + 3 * n) % 20},4.5,{1_600_000_000 + 100 * user + n}\n"
    for user in range(1, 13)
    for n in range(6)
)


def test_a_path_is_a_source_and_the_words_that_are_shown_are_the_same_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    words = ["run", "data", f"data.path={tmp_path / 'ratings.csv'}", "--runs", str(tmp_path / "runs")]
    assert main([*words, "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["interactions"] == 72 and "movieId" in printed.err
    (entry,) = Store(tmp_path / "runs").scan()
    assert entry.info.experiment == "ratings"
    typed = next(line for line in printed.err.splitlines() if "in words: " in line).split("in words: ")[1]
    for again in (words[2:3], shlex.split(typed)):
        assert main([*words[:2], *again, "--plan", "--json", *words[3:]]) == 0
        (step,) = json.loads(capsys.readouterr().out)["steps"]
        assert (step["action"], step["run"]) == (REUSE, entry.id)
    assert entry.info.argv[3:] == [*shlex.split(typed)[:-1], words[2]]  # repeatable without a look at the file


@pytest.mark.parametrize("command", ["run", "sweep", "tune", "doctor", "bench", "config"])
def test_every_command_asks_for_columns_that_are_not_sure(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n1,3\n")
    more = {"sweep": ["seed=1,2"], "tune": ["student.dropout=0.1..0.2"]}.get(command, [])
    runs = [] if command == "config" else ["--runs", str(tmp_path / "runs")]
    assert main([command, f"data.path={tmp_path / 'x.csv'}", *more, *runs]) == 2
    message = capsys.readouterr().err
    assert "data.columns.user=COLUMN data.columns.item=COLUMN" in message and message.count("error:") == 1
    assert not (tmp_path / "runs").exists()
