"""``engine.run`` and its handle."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import engine
from engine.errors import ConfigError, RunError
from engine.jobs.store import Store
from engine.notebook.start import RunHandle, _text
from tests.fixtures.jobs import SLEEP, Bench

NOTEBOOK = Path(__file__).parents[2] / "notebook.ipynb"
TINY = {"data.world.users": 60, "data.world.items": 80, "data.world.series": 20}


def test_values_are_written_as_on_the_command_line() -> None:
    values = {"a": None, "b": True, "c": 0.3, "d": ["x", 1.5, False], "e": "u v", "f": 1e-07}
    assert [_text(key, value) for key, value in values.items()] == [
        "null",
        "true",
        "0.3",
        "[x,1.5,false]",
        "u v",
        "1e-07",
    ]
    with pytest.raises(ConfigError, match="comma"):
        _text("key", ["a,b"])


def test_a_run_is_started_waited_for_and_reused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = engine.run("data", TINY, runs=tmp_path, experiment="mine").wait()
    assert job.state == "DONE" and job.actions == {"data": "new"} and repr(job) == f"{job.id} DONE"
    assert "DONE" in capsys.readouterr().err
    assert list(job.frames.runs()["run"]) == [job.id] and set(job.frames.runs()["experiment"]) == {"mine"}
    (entry,) = Store(tmp_path).scan()
    assert entry.info.argv == ["engine", "run", "data", *(f"{key}={value}" for key, value in TINY.items())]
    again = engine.run("data", [f"{key}={value}" for key, value in TINY.items()], runs=tmp_path)
    assert again.id == job.id and again.actions == {"data": "reuse"}


def test_a_wrong_setting_or_stage_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no setting 'student"):
        engine.run("student", {"student.droput": 0.3}, runs=tmp_path)
    with pytest.raises(ConfigError, match="no stage 'studnet'"):
        engine.run("studnet", runs=tmp_path)
    assert Store(tmp_path).scan() == []


def test_waiting_ends_at_the_timeout_and_names_what_failed(bench: Bench) -> None:
    folder = bench.start(SLEEP)
    job = RunHandle(bench.store, folder.name, {})
    with pytest.raises(TimeoutError, match="goes on"):
        job.wait(timeout=0.2)
    bench.until(lambda: job.state == "RUNNING")
    job.stop()
    with pytest.raises(RunError, match="ended"):
        job.wait(timeout=30)


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(code), str(NOTEBOOK), "exec"), {"__name__": "__main__"})


@pytest.mark.skipif(not (find_spec("nbclient") and find_spec("ipykernel")), reason="nbclient or ipykernel is missing")
def test_the_notebook_runs_in_jupyter(tmp_path: Path) -> None:
    copy = tmp_path / NOTEBOOK.name
    copy.write_bytes(NOTEBOOK.read_bytes())
    program = "from nbclient.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program, str(copy)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
