"""``engine stage``: the process of one planned run."""

import signal
from pathlib import Path
from typing import Any

import pytest

from engine import config
from engine.cli import main
from engine.runs.read_only import RANK
from engine.runs.run import Stopped
from engine.runs.schema import CONFIG, RunInfo, Summary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data-1"
    folder.mkdir()
    RunInfo("data-1", "data", "test", 1, "f" * 8).write(folder)
    (folder / CONFIG).write_text(config.dump(config.load()), encoding="utf-8")
    return folder


def ended(folder: Path) -> str:
    summary = Summary.read(folder)
    assert summary is not None
    return summary.ended


def test_the_stage_runs_with_the_configuration_of_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("engine.data.stage.run", lambda settings, run: seen.append((settings, run.id)))
    assert main(["stage", str(folder)]) == 0
    assert seen == [(config.load(), "data-1")] and ended(folder) == "done"


def test_a_process_that_only_shares_the_work_waits_at_no_gate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning starts it with the words of the first one, whose gate it does not have."""
    seen: list[Any] = []
    monkeypatch.setenv(RANK, "1")
    monkeypatch.setattr("engine.data.stage.run", lambda settings, run: seen.append(run.id))
    before = signal.getsignal(signal.SIGTERM)
    assert main(["stage", str(folder), "--gate=987"]) == 0
    signal.signal(signal.SIGTERM, before)
    assert seen == ["data-1"] and Summary.read(folder) is None


def test_a_stage_that_is_asked_to_stop_exits_with_143(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(settings: Any, run: Any) -> None:
        raise Stopped

    monkeypatch.setattr("engine.data.stage.run", stop)
    assert main(["stage", str(folder)]) == 143
    assert ended(folder) == "stopped"


def test_a_configuration_that_cannot_be_read_is_the_recorded_end_of_the_run(folder: Path) -> None:
    (folder / CONFIG).write_text("data: [", encoding="utf-8")
    assert main(["stage", str(folder)]) == 2
    assert ended(folder) == "failed"
