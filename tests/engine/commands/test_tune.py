"""``engine tune`` as a person types it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import config
from engine.cli import main
from engine.commands.tune import metric_of
from engine.experiments.plan import NEW, Step
from engine.jobs.store import Store
from engine.runs.schema import Exit, RunInfo, new_id
from engine.stages import STAGES

TINY = [
    *("data.world.users=60", "data.world.items=80", "data.world.series=20", "student.hidden=8", "student.blocks=1"),
    *("student.batch=32", "student.epochs=3", "student.max_length=10"),
]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["evaluate", "student.dropout=0.1..0.5"], "Test rows choose nothing"),
        (["student.dropout=0.1..0.5", "--metric", "ndcg@10"], "no figure on validation rows"),
        (["teacher", "teacher.learning_rate=1e-4..1e-3", "--metric", "val_lm_ndcg@10"], "no figure on validation rows"),
        (["teacher", "teacher=generate", "teacher.batch=4,8", "--metric", "val_ndcg@10"], "teacher: candidate_hr@1;"),
        (["student", "distill.kl.weight=0.1..0.5"], "engine tune distill"),
        (["student.dropout=0.1..0.5", "--trials", "0"], "--trials"),
        (["student.dropout=0.1"], "nothing is searched"),
    ],
)
def test_a_search_that_makes_no_sense_is_one_message_and_status_2(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", *words, "--runs", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err
    assert Store(tmp_path).scan() == []


def test_a_teacher_that_generates_titles_is_chosen_by_what_it_reports() -> None:
    ranking, generating = config.load([]), config.load(["teacher=generate"])
    assert metric_of("teacher", None, ranking).name == metric_of("student", None, generating).name == "val_ndcg@10"
    assert metric_of("teacher", None, generating).name == "candidate_hr@1"


def test_a_trial_stays_open_while_a_run_that_it_needs_was_interrupted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, steps = Store(tmp_path), []
    ends = {"teacher": (9, "user"), "distill": (None, "inputs")}
    for stage, (number, by) in ends.items():
        folder = store.create(RunInfo(new_id(stage), stage, "test", 1, "f" * 8), "seed: 1\n")
        Exit(1, None, number, by, "", 1.0, 1, False, time.time()).write(folder)
        steps.append(Step(STAGES[stage], "f" * 8, NEW, folder.name, ""))
    monkeypatch.setattr("engine.commands.tune.start", lambda *_: steps)
    words = ["tune", "distill", "distill.kl.weight=0.1..0.5", "--trials", "1", "--experiment", "try"]
    assert main([*words, "--runs", str(tmp_path)]) == 2
    assert f"{steps[0].run} was interrupted (KILLED), so its trial is still open" in capsys.readouterr().err


def test_a_search_whose_last_write_was_interrupted_goes_on_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.commands.tune._try", lambda *_: (0.5, ["student-1"]))
    words = ["tune", "student.dropout=0.1..0.5", "--trials", "3", "--experiment", "try", "--runs", str(tmp_path)]
    assert main(words) == 0
    path = tmp_path / ".tune" / "try.journal"
    path.write_bytes(path.read_bytes()[:-5])  # within the result of the third trial
    capsys.readouterr()
    assert main(words) == 0
    err = capsys.readouterr().err
    assert "last write was interrupted" in err
    assert "goes on: 2 of 3 trials are known" in err
    path.write_bytes(b"{}\n" + path.read_bytes())
    assert main(words) == 2
    assert "line 1 of" in capsys.readouterr().err


def test_the_runs_of_a_search_and_its_winner_record_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[str]] = []

    def attempt(target: str, overrides: list[str], *_: object) -> tuple[float, list[str]]:
        given.append(overrides)
        return 0.5, ["student-1"]

    monkeypatch.setattr("engine.commands.tune._try", attempt)
    words = ["tune", "student.dropout=0.1..0.5", "search.student=2", "--experiment", "try", "--runs", str(tmp_path)]
    assert main([*words, "--trials", "3", "--json"]) == 0
    assert {overrides[-2] for overrides in given} == {"search.student=5"}  # those before, and three
    command = json.loads(capsys.readouterr().out)["best"]["command"]
    assert config.load(command[3:]).search.student == 5
    assert main([*words, "--trials", "1", "--json"]) == 0  # no more are tried, and three were
    assert config.load(json.loads(capsys.readouterr().out)["best"]["command"][3:]).search.student == 5


@pytest.mark.slow
def test_a_search_that_is_killed_and_typed_again_repeats_no_finished_trial(tmp_path: Path) -> None:
    words = ["tune", *TINY, "student.dropout=0.1..0.5", "student.learning_rate=log:1e-4..1e-2", "--trials", "3"]
    command = [sys.executable, "-m", "engine", *words, "--runs", str(tmp_path), "--experiment", "try"]
    conductor = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300

    def students() -> list[str]:
        return [entry.id for entry in Store(tmp_path).scan() if entry.info.stage == "student"]

    while len(students()) < 2:  # the first trial is done, the second one under way
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.05)
    os.kill(conductor.pid, signal.SIGKILL)
    conductor.wait()
    before = students()
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "goes on: 1 of 3 trials are known" in done.stderr
    told = json.loads(done.stdout)
    assert [trial["state"] for trial in told["trials"]] == ["done"] * 3
    assert [run for trial in told["trials"] for run in trial["runs"]] == students()
    assert students()[:2] == before
    assert told["best"]["value"] == max(trial["value"] for trial in told["trials"])
    plan = subprocess.run(
        [sys.executable, "-m", *told["best"]["command"], "--plan", "--json", "--runs", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    (step,) = json.loads(plan.stdout)["steps"]
    assert (step["action"], step["run"]) == ("reuse", told["best"]["runs"][0])  # the command makes what was measured
