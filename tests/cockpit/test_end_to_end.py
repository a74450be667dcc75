"""A person starts the demo in a real terminal, loses the connection twice, and finds everything as it is."""

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

spec = importlib.util.spec_from_file_location("pty_terminal", Path(__file__).parent / "pty_terminal.py")
pty_terminal = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pty_terminal)

ENTER, ESCAPE, CLEAR, TAB, START = "\r", "\x1b", "\x15", "\t", "\x12"


@pytest.fixture
def cockpit(tmp_path):
    """Opens cockpits on one folder of runs, in terminals of 120 x 40."""
    opened = []

    def start(*options, size=(120, 40), **more):
        command = [sys.executable, "-m", "cockpit", "--runs", str(tmp_path / "runs"), *options]
        environment = {"COCKPIT_SETTINGS": str(tmp_path / "none.toml"), "OMP_NUM_THREADS": "1", "TZ": "UTC"}
        terminal = pty_terminal.PtyTerminal(command, size, environment, **more)
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.close()


def type_setting(terminal, key, value):
    """Find a setting in the form and give it a value."""
    terminal.type("/" + CLEAR + key + ENTER)
    terminal.shows(f"/ {key}")
    terminal.type(ENTER)
    terminal.shows(f" {key}: ")
    terminal.type(CLEAR + value + ENTER)
    terminal.until(lambda: f"*{value}" in terminal.text.replace(" ", ""))


def state_of_student(root):
    """What the files say, without any cockpit."""
    from cockpit.services.scan import read_row

    folders = [folder for folder in root.glob("student-*") if folder.is_dir()]
    row = read_row(folders[0], time.time()) if folders else None
    return row.state if row else ""


@pytest.mark.slow
def test_a_run_outlives_the_cockpit_that_started_it(cockpit, tmp_path):
    first = cockpit()
    first.shows("No runs in", "start the demo")
    first.type(ENTER)
    first.shows("preset demo", "data.name", seconds=120)
    for key, value in (
        ("data.world.users", "150"),
        ("data.world.items", "200"),
        ("student.epochs", "250"),
        ("student.patience", "1000"),
    ):
        type_setting(first, key, value)
    first.type(TAB + "gj ")
    first.shows("engine run student", "runs: data, student", seconds=120)
    first.type(START)
    first.shows("closing the cockpit does not stop them", seconds=120)
    first.type("g2")
    first.shows("2 Live", "student")
    # The curve arrives by itself: the kept value in the title and dots below it.
    first.shows("val_recall@10  kept .", seconds=180)
    first.until(lambda: any("\u2801" <= letter <= "\u28ff" for letter in first.text), 60)

    assert first.hang_up() == -signal.SIGHUP or first.exit is not None
    assert state_of_student(tmp_path / "runs") == "RUNNING"

    second = cockpit()
    second.shows("● RUN", "student", seconds=60)
    second.kill(signal.SIGKILL)
    assert second.exit == -signal.SIGKILL
    assert state_of_student(tmp_path / "runs") == "RUNNING"

    third = cockpit()
    third.shows("● RUN", "student", seconds=60)
    third.shows("✓ DONE  student", seconds=300)
    third.type("Q")
    assert third.wait() == 0
    assert b"Runs continue" in third.raw
    assert list((tmp_path / "runs").glob("student-*/artifacts/model.safetensors"))


def children(process):
    """Processes that a process has started and that are still there."""
    return psutil.Process(process).children(recursive=True)


@pytest.mark.parametrize("end", ["Q", pytest.param("hang up", marks=pytest.mark.slow), "kill"])
def test_the_server_of_the_models_ends_with_the_cockpit(cockpit, seven_stages, end):
    terminal = cockpit("--runs", str(seven_stages), "--read-only")
    terminal.shows("evaluate", "distill", seconds=60)
    terminal.type("/stage:evaluate" + ENTER)
    terminal.shows("/ stage:evaluate", seconds=60)
    terminal.type("6")
    terminal.shows("6 Recommend  evaluate", "test user", "teacher written", "gate weights", seconds=120)
    servers = [child for child in children(terminal.pid) if "serve-local" in child.cmdline()]
    assert len(servers) == 1
    if end == "Q":
        terminal.type("Q")
        assert terminal.wait() == 0
        assert b"Traceback" not in terminal.raw and b"Error" not in terminal.raw
    elif end == "hang up":
        terminal.hang_up()
    else:
        terminal.kill(signal.SIGKILL)
    assert psutil.wait_procs(servers, timeout=30)[1] == []


def test_a_slow_line_still_answers_and_resizing_redraws(cockpit, tmp_path):
    (tmp_path / "runs").mkdir()
    terminal = cockpit("--read-only", size=(80, 24), rate=20_000)
    terminal.shows("No runs in", "read-only", seconds=60)
    terminal.type("?")
    assert terminal.shows("Runs (1)", seconds=10) < 5
    terminal.type("q")
    terminal.shows("No runs in")
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.wait()


def wait_for_runs(terminal, root, stage, count):
    """Read until so many runs of a stage are done; a run that fails ends the wait with its reason."""
    from cockpit.services.scan import read_row

    def done():
        now = time.time()
        rows = [row for folder in root.glob("*-*") if folder.is_dir() and (row := read_row(folder, now))]
        failed = [f"{row.id} {row.state} {row.reason}" for row in rows if row.state in ("FAILED", "KILLED", "LOST")]
        assert failed == []
        return sum(row.stage == stage and row.state == "DONE" for row in rows) >= count

    terminal.until(done, 400)


@pytest.mark.slow
def test_from_the_first_start_to_an_exported_comparison_without_leaving_the_app(cockpit, tmp_path):
    terminal, runs = cockpit(), tmp_path / "runs"
    terminal.shows("No runs in", "start the demo")
    terminal.type(ENTER)
    terminal.shows("preset demo", "data.name", seconds=120)
    for key, value in (("data.world.users", "150"), ("data.world.items", "200"), ("student.epochs", "2")):
        type_setting(terminal, key, value)
    terminal.type("/" + CLEAR + "evaluate.models" + ENTER + ENTER)
    for model in ("teacher", "distilled", "oracle"):
        terminal.shows(f"[✓] {model}")
        terminal.type(model + ENTER)
        terminal.shows(f"[ ] {model}")
    terminal.type(ESCAPE)
    terminal.shows("runs: data, student, evaluate", seconds=120)
    terminal.type(START)
    terminal.shows("closing the cockpit does not stop them", seconds=120)
    # Watch the training, then its result.
    terminal.type("/stage:student" + ENTER)
    terminal.shows("/ stage:student", "student", seconds=60)
    terminal.type("2")
    terminal.shows("2 Live", "val_recall@10", seconds=180)
    wait_for_runs(terminal, runs, "evaluate", 1)
    terminal.type("1/" + CLEAR + "stage:evaluate" + ENTER)
    terminal.shows("1 Runs", "✓ DONE  evaluate", seconds=60)
    terminal.type(ENTER)
    terminal.shows("2 Result", "popularity (floor)", "student", "on these rows, one training of each", "├", seconds=60)
    # The same with another setting, twice: a sweep.
    terminal.type("r")
    terminal.shows("Launch", "student.epochs", seconds=120)
    type_setting(terminal, "student.dropout", "0.1,0.4")
    terminal.shows("2 combinations", seconds=120)
    terminal.type(START)
    terminal.shows("closing the cockpit does not stop them", seconds=120)
    wait_for_runs(terminal, runs, "evaluate", 3)
    terminal.type("1g")
    terminal.shows("1 Runs", "dropout", seconds=60)
    terminal.type("b")
    terminal.shows("Board", "evaluate: 3 settings, 3 runs", "★", "parallel coordinates", seconds=120)
    terminal.type("g  ")
    terminal.type("3")
    terminal.shows("3 Compare", "student.dropout", "verdict", "seed says nothing about", seconds=120)
    file = tmp_path / "compare.csv"
    terminal.type("e" + CLEAR + str(file) + ENTER)
    terminal.shows("metrics written to", seconds=60)
    assert "ndcg@10" in file.read_text()
    terminal.type("Q")
    assert terminal.wait() == 0
    assert b"Traceback" not in terminal.raw
