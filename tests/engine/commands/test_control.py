"""``engine stop``, ``engine resume`` and ``engine rm`` over real supervisors."""

import json
import sys
import time
from pathlib import Path

import pytest

from engine.cli import main
from engine.jobs.starter import launch
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import Exit, RunInfo, new_id

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def planned(store: Store, stage: str = "student", **inputs: str) -> Path:
    return store.create(RunInfo(new_id(stage), stage, "test", 1, "f" * 8, inputs=inputs), "seed: 1\n")


def stopped(folder: Path) -> Path:
    Exit(1, 143, None, "user", "", 1.0, 1, False, time.time()).write(folder)
    return folder


def test_a_run_that_has_ended_does_not_keep_the_others_from_stopping(store: Store, capsys: Captured) -> None:
    ended, other, working = (planned(store) for _ in range(3))
    for folder in (ended, other):
        Exit(1, 0, None, "self", "", 60.0, 10**6, False, time.time()).write(folder)
    launch(working, [sys.executable, "-c", "import time; time.sleep(600)"])
    code = main(["stop", "--runs", str(store.root), ended.name, working.name, other.name])
    errors = capsys.readouterr().err
    assert code == 2
    assert all(f"{folder.name} is not at work, it is DONE" in errors for folder in (ended, other))
    deadline = time.monotonic() + 30
    while store.entry(working).state.living:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert store.entry(working).state == "STOPPED"


def test_an_interrupted_run_resumes_after_the_interrupted_runs_it_needs(
    store: Store, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = planned(store, "data")
    with Run.open(done):
        pass
    student = stopped(planned(store, data=done.name))
    evaluation = stopped(planned(store, "evaluate", data=done.name, student=student.name))
    resumed: list[str] = []
    monkeypatch.setattr(Store, "resume", lambda self, entry: resumed.append(entry.id))
    arguments = ["resume", evaluation.name, student.name, "--detach", "--json", "--runs", str(store.root)]
    assert main(arguments) == 0
    assert resumed == [student.name, evaluation.name]
    assert list(json.loads(capsys.readouterr().out)) == resumed


def test_runs_that_ended_because_an_input_was_interrupted_resume_behind_it(
    store: Store, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = planned(store, "teacher")
    Exit(1, None, 9, "user", "killed on request", 1.0, 1, False, time.time()).write(teacher)
    broken = planned(store, "data")
    Exit(1, 2, None, "self", "no such file", 1.0, 1, False, time.time()).write(broken)
    knowledge = planned(store, "knowledge", teacher=teacher.name, data=broken.name)
    evaluation = planned(store, "evaluate", knowledge=knowledge.name)
    for folder, input_ in ((knowledge, teacher), (evaluation, knowledge)):
        Exit(1, None, None, "inputs", f"needs {input_.name}", 0.0, 0, False, time.time()).write(folder)
    resumed: list[str] = []
    monkeypatch.setattr(Store, "resume", lambda self, entry: resumed.append(entry.id))
    assert main(["resume", evaluation.name, "--detach", "--runs", str(store.root)]) == 0
    assert resumed == [teacher.name, knowledge.name, evaluation.name]


def test_a_resumed_run_that_ends_prints_its_result(
    store: Store, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stopped(planned(store))

    def finish(self: Store, entry: object) -> None:
        (folder / "exit.json").unlink()
        with Run.open(folder) as run:
            run.note(rows=3)

    monkeypatch.setattr(Store, "resume", finish)
    assert main(["resume", folder.name, "--json", "--runs", str(store.root)]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 3
    monkeypatch.setattr(Store, "resume", lambda self, entry: stopped(folder))
    assert main(["resume", folder.name, "--runs", str(store.root)]) == 1


def test_an_input_of_another_run_is_deleted_only_by_force_or_together_with_it(store: Store, capsys: Captured) -> None:
    data, other = planned(store, "data"), planned(store, "data")
    student, second = planned(store, data=data.name), planned(store, data=other.name)
    for folder in (data, other, student, second):
        stopped(folder)
    runs = ["--runs", str(store.root)]
    assert main(["rm", data.name, *runs]) == 2
    assert student.name in capsys.readouterr().err
    assert main(["rm", student.name, data.name, "--json", *runs]) == 0
    assert json.loads(capsys.readouterr().out) == [student.name, data.name]
    assert main(["rm", other.name, "--force", *runs]) == 0
    assert [entry.id for entry in store.scan()] == [second.name]


@pytest.mark.parametrize("command", ["stop", "resume", "rm"])
def test_a_command_without_a_run_changes_nothing(command: str, store: Store, capsys: Captured) -> None:
    assert main([command, "--runs", str(store.root)]) == 2
    assert "no run is named" in capsys.readouterr().err
