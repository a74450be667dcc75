"""Terminals as they are: few colours, none, an old TERM, no mouse, a window that is dragged about, tmux."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("pty_terminal", Path(__file__).parent / "pty_terminal.py")
pty_terminal = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pty_terminal)

SGR = re.compile(rb"\x1b\[([0-9;]*)m")
MOUSE = (b"\x1b[?1000h", b"\x1b[?1003h", b"\x1b[?1006h")


@pytest.fixture
def cockpit(maker, world, tmp_path, monkeypatch):
    """Opens cockpits on runs of every kind, in a terminal with an environment of its own."""
    for name in ("NO_COLOR", "COLORTERM", "TERM"):
        monkeypatch.delenv(name, raising=False)
    opened = []

    def start(*options, size=(100, 30), **environment):
        command = [sys.executable, "-m", "cockpit", "--runs", str(maker.root), *options]
        environment = {"COCKPIT_SETTINGS": str(tmp_path / "none.toml"), "OMP_NUM_THREADS": "1", **environment}
        opened.append(pty_terminal.PtyTerminal(command, size, environment))
        opened[-1].shows("1 Runs", "10/10", "LOST", "preview")
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def colours(raw):
    """What the styles that were sent ask for: sets of SGR parameters."""
    return {part for match in SGR.findall(bytes(raw)) for part in re.findall(rb"[34]8;[25];[0-9;]+|[0-9]+", match)}


@pytest.mark.parametrize(
    ("environment", "allowed"),
    [
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, r"0|1|7"),
        ({"TERM": "screen"}, r"0|1|7|3[0-7]|9[0-7]"),
        ({"TERM": "xterm-256color"}, r"0|1|7|38;5;[0-9]+"),
    ],
    ids=["no colour", "sixteen", "256"],
)
def test_only_colours_that_the_terminal_knows_are_sent(cockpit, environment, allowed):
    terminal = cockpit(**environment)
    terminal.type("2")
    terminal.shows("2 Live", "health")
    sent = {part.decode() for part in colours(terminal.raw)}
    assert "1" in sent and sent <= {part for part in sent if re.fullmatch(allowed, part)}
    # The state is told without any of them.
    assert re.search(r"[●◐◌○✓✗■†?] (RUNNING|DONE|FAILED|WAITING|QUEUED|STOPPED|KILLED|LOST|STALLED)", terminal.text)


@pytest.mark.parametrize(("options", "asked"), [(["--no-mouse"], False), ([], True)])
def test_the_mouse_is_left_to_the_terminal_when_that_is_asked_for(cockpit, options, asked):
    assert any(code in cockpit(*options).raw for code in MOUSE) == asked


def test_a_window_that_is_dragged_about_ends_with_a_whole_picture(cockpit):
    terminal = cockpit(size=(200, 60))
    for width in (190, 150, 99, 60, 59, 120, 161, 80):
        terminal.resize(width, 18 + width // 5)
        terminal.read(0.02)
    terminal.width, terminal.height = 80, 24
    terminal._cells = [[" "] * 200 for _ in range(60)]  # what is left over from other sizes does not count
    terminal.resize(80, 24)
    terminal.type("\x0c")
    terminal.until(lambda: ": commands  ? help" in terminal.row(23) and "1 Runs" in terminal.row(0))
    assert all(not terminal.row(row)[80:] for row in range(24))


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_it_works_inside_tmux(maker, world, tmp_path):
    # Said word for word: what a library of this process put into the C environment would pass for the window's size.
    environment = {name: value for name, value in os.environ.items() if name not in ("TMUX", "COLUMNS", "LINES")}
    socket = str(tmp_path / "tmux")

    def tmux(*words):
        done = subprocess.run(
            ["tmux", "-S", socket, "-f", "/dev/null", *words], capture_output=True, text=True, env=environment
        )
        return done.stdout

    def until(*words, seconds=60):
        deadline = time.monotonic() + seconds
        while not all(word in tmux("capture-pane", "-p") for word in words):
            assert time.monotonic() < deadline, tmux("capture-pane", "-p")

    settings = tmp_path / "none.toml"
    command = f"COCKPIT_SETTINGS={settings} {sys.executable} -m cockpit --runs {maker.root}"
    try:
        tmux("new-session", "-d", "-x", "100", "-y", "30", command)
        until("1 Runs", "10/10", "preview")
        tmux("send-keys", "2")
        until("2 Live", "health")
        tmux("resize-window", "-x", "70", "-y", "20")
        until("2 Live", "? help")
        tmux("send-keys", "Q")
        deadline = time.monotonic() + 30
        while tmux("list-sessions"):
            assert time.monotonic() < deadline
    finally:
        tmux("kill-server")
