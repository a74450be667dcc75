"""``engine mirror``: copies of runs for other dashboards."""

import json
import os
from pathlib import Path

import pytest

from engine.cli import main
from engine.jobs.store import Store
from engine.mirror import mlflow_target, wandb_target
from engine.runs.files import hold
from tests.engine.mirror.conftest import first
from tests.fixtures.event_runs import attempt, new_run

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    store = Store(tmp_path / "runs")
    for label in ("one", "one", "two"):
        attempt(new_run(store, label=label), first)
    return store.root


@pytest.mark.parametrize(("words", "copied"), [([], 3), (["one"], 2), (["last"], 1), (["last", "one"], 3)])
def test_all_runs_an_experiment_or_a_run_is_copied(
    runs: Path, tmp_path: Path, capsys: Captured, words: list[str], copied: int
) -> None:
    to = tmp_path / "board"
    arguments = ["mirror", *words, "--to", "tensorboard", str(to), "--runs", str(runs)]
    assert main([*arguments, "--json"]) == 0
    points = json.loads(capsys.readouterr().out)["points"]
    assert points.keys() == {path.parent.name for path in to.glob("*/events.out.tfevents.*")} and len(points) == copied
    assert all(points.values())
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines() == [f"{run}  0 new points" for run in points]
    assert main([*arguments, "--follow"]) == 0 if words else True


def test_what_cannot_be_copied_is_an_error_with_a_remedy(
    runs: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    to = ["--runs", str(runs), "--to"]
    for target, message in {
        "excel": "Choose one of: tensorboard, mlflow, wandb",
        "mlflow": "pip install 'recdistill[mlflow]'",
        "wandb": "pip install 'recdistill[wandb]'",
    }.items():
        assert main(["mirror", *to, target, str(tmp_path / "to")]) == 2
        assert message in capsys.readouterr().err
    assert main(["mirror", "nothing", *to, "tensorboard", str(tmp_path / "to")]) == 2
    assert "no run 'nothing'" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["mirror", *to, "tensorboard", str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert mlflow_target and wandb_target


def test_two_mirrors_do_not_write_into_one_folder(runs: Path, tmp_path: Path, capsys: Captured) -> None:
    lock = hold(tmp_path / ".mirror.lock")
    assert lock is not None
    try:
        assert main(["mirror", "--runs", str(runs), "--to", "tensorboard", str(tmp_path)]) == 2
        assert "another mirror is writing here" in capsys.readouterr().err
    finally:
        os.close(lock)
