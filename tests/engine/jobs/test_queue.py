"""The line for slots, with real supervisors and real deaths."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RunError
from engine.jobs import queue
from engine.jobs.environment import stage_environment
from engine.jobs.queue import move, pause, snapshot
from engine.jobs.starter import launch
from engine.runs import schema
from engine.runs.schema import Process, QueueOverride, Slots

ONE = Slots("cpu", 1)
# Works until its file is there, and writes down that it began.
WORKS = """
import sys, time
from pathlib import Path
here = Path(sys.argv[2])
with open(here / "order", "a") as file:
    file.write(Path(sys.argv[1]).name + "\\n")
while not (here / "go").exists() and not (here / Path(sys.argv[1]).name).exists():
    time.sleep(0.01)
"""


class Line:
    """Runs that share a slot; the first one keeps it until ``go``."""

    def __init__(self, bench: Any, here: Path) -> None:
        self.bench, self.here, self.root = bench, here, bench.store.root

    def start(self, count: int = 1, **fields: Any) -> list[Path]:
        return [self.bench.start(WORKS, self.here, **({"slots": ONE} | fields)) for _ in range(count)]

    def queued(self, folders: list[Path]) -> list[str]:
        """The runs' ids, as soon as all of them wait for a slot."""
        for folder in folders:
            self.bench.until(lambda folder=folder: self.bench.state(folder) == "QUEUED")
        return [folder.name for folder in folders]

    def works(self, folder: Path) -> Path:
        self.bench.until(lambda: folder.name in self.began())
        return folder

    def began(self) -> list[str]:
        order = self.here / "order"
        return order.read_text().split() if order.exists() else []

    def let_go(self, *folders: Path) -> list[str]:
        (self.here / "go").touch()
        for folder in folders:
            self.bench.ends(folder)
        return self.began()

    def names(self) -> list[str]:
        return [waiting.run for waiting in snapshot(self.root)[1]]


@pytest.fixture
def line(bench: Any, tmp_path: Path) -> Line:
    return Line(bench, tmp_path)


def test_who_comes_first_is_served_first(line: Line) -> None:
    folders = line.start(1)
    line.works(folders[0])
    folders += line.start(4)
    line.queued(folders[1:])
    assert line.let_go(*folders) == [folder.name for folder in folders]


def test_a_person_changes_the_order_and_later_ones_come_after_it(line: Line) -> None:
    first = line.works(line.start()[0])
    a, b, c = line.queued(folders := line.start(3))
    move(line.root, c, "first")
    assert line.names() == [c, a, b]
    move(line.root, a, "later")
    assert line.names() == [c, b, a]
    move(line.root, a, "sooner")
    move(line.root, b, "sooner")  # back to where it was
    move(line.root, b, "later")
    move(line.root, a, "last")
    assert line.names() == [c, b, a]
    late = line.start()
    line.queued(late)
    assert line.names() == [c, b, a, late[0].name]
    assert line.let_go(first, *folders, *late) == [first.name, c, b, a, late[0].name]


def test_moving_at_an_end_changes_nothing(line: Line) -> None:
    line.works(line.start()[0])
    a, b = line.queued(line.start(2))
    move(line.root, a, "sooner")
    move(line.root, b, "later")
    assert line.names() == [a, b] and not (line.root / a / schema.CONTROL).exists()


def test_a_paused_run_is_passed_until_it_is_continued(line: Line) -> None:
    first = line.works(line.start()[0])
    folders = line.start(2)
    a, b = line.queued(folders)
    pause(line.root, a, True)
    status = line.bench.store.entry(folders[0]).status
    assert (status.state, status.reason) == ("QUEUED", "paused by a person")
    (line.here / first.name).touch()
    line.works(folders[1])
    (line.here / b).touch()
    line.bench.ends(folders[1])
    assert line.bench.state(folders[0]) == "QUEUED" and line.began() == [first.name, b]
    pause(line.root, a, False)
    assert line.let_go(folders[0]) == [first.name, b, a]


def test_a_run_that_is_paused_while_it_waits_for_an_input_stays_so(line: Line) -> None:
    data = line.start(stage="data")[0]
    line.works(data)
    folder = line.start(inputs={"data": data.name})[0]
    pause(line.root, folder.name, True)
    line.let_go(data)
    line.bench.until(lambda: line.bench.state(folder) == "QUEUED")
    assert line.began() == [data.name]
    pause(line.root, folder.name, False)
    assert line.bench.ends(folder) == "DONE"


def test_the_experiment_that_was_asked_for_first_goes_on_before_a_later_one_begins(line: Line) -> None:
    data = line.works(line.start(stage="data")[0])
    own = line.start(inputs={"data": data.name})[0]
    other = line.start()[0]
    line.queued([other])
    assert line.let_go(data, own, other) == [data.name, own.name, other.name]


def test_a_run_whose_supervisor_was_killed_does_not_block_the_queue(line: Line) -> None:
    first = line.works(line.start()[0])
    folders = line.start(2)
    _a, b = line.queued(folders)
    process = Process.read(folders[0])
    assert process is not None
    os.kill(process.supervisor.pid, signal.SIGKILL)
    line.bench.until(lambda: not process.supervisor.alive)
    assert line.names() == [b]
    assert line.let_go(first, folders[1]) == [first.name, b]
    assert not list((line.root / schema.SLOTS).glob("*/*/line/*"))  # its entry was removed
    launch(folders[0], line.bench.command(folders[0], WORKS, line.here))
    assert line.bench.ends(folders[0]) == "DONE"


def test_a_run_that_is_stopped_in_the_line_leaves_it(line: Line) -> None:
    line.works(line.start()[0])
    folders = line.start(2)
    _a, b = line.queued(folders)
    line.bench.store.stop(line.bench.store.entry(folders[0]))
    assert line.bench.ends(folders[0]) == "STOPPED"
    assert line.names() == [b]


def test_a_run_that_may_use_more_slots_is_not_held_up_by_one_that_may_not(line: Line) -> None:
    line.works(line.start()[0])
    narrow = line.start()[0]
    line.queued([narrow])
    wide = line.start(slots=Slots("cpu", 2))[0]
    line.works(wide)
    assert line.bench.state(narrow) == "QUEUED"


def test_devices_have_lines_of_their_own(line: Line) -> None:
    line.works(line.start()[0])
    line.works(line.start(slots=Slots("gpu", 1))[0])
    uses, waiting = snapshot(line.root)
    assert [(use.device, use.slot, use.run) for use in uses] == [
        ("cpu", 0, line.began()[0]),
        ("gpu", 0, line.began()[1]),
    ] and not waiting


def test_machines_that_share_the_folder_do_not_wait_for_each_other(line: Line, monkeypatch: Any) -> None:
    there = line.root / schema.SLOTS / "elsewhere" / "cpu"
    (there / queue.ENTRIES).mkdir(parents=True)
    folder = line.bench.create(slots=ONE, host="elsewhere")
    (there / queue.ENTRIES / folder.name).write_text(json.dumps({"came": 1.0, "count": 1}))
    record = {"host": "elsewhere", "boot": "x", "pid": 1, "start": "1"}
    (folder / schema.PROCESS).write_text(json.dumps({"attempt": 1, "supervisor": record, "phase": "queued", "t": 1.0}))
    mine = line.works(line.start()[0])
    assert mine.name in line.began()
    assert [(waiting.host, waiting.run) for waiting in snapshot(line.root)[1]] == [("elsewhere", folder.name)]
    pause(line.root, folder.name, True)  # its own machine obeys
    assert QueueOverride.read(folder).paused


def test_many_who_come_at_once_are_each_served_once(line: Line, tmp_path: Path) -> None:
    source = """
import sys
from pathlib import Path
from engine.jobs.starter import launch
launch(Path(sys.argv[1]), sys.argv[2:])
"""
    folders = [line.bench.create(slots=ONE) for _ in range(4)]
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", source, str(folder), *line.bench.command(folder, WORKS, line.here)],
            env=stage_environment(os.environ),
        )
        for folder in folders
    ]
    assert [starter.wait() for starter in starters] == [0] * 4
    assert sorted(line.let_go(*folders)) == sorted(folder.name for folder in folders)
    assert [line.bench.state(folder) for folder in folders] == ["DONE"] * 4


def test_what_does_not_wait_cannot_be_moved(line: Line) -> None:
    first = line.works(line.start()[0])
    for act in (lambda: move(line.root, first.name, "first"), lambda: pause(line.root, first.name, True)):
        with pytest.raises(RunError, match="does not wait for a slot"):
            act()


def test_a_damaged_override_or_entry_does_not_block_the_queue(line: Line) -> None:
    first = line.works(line.start()[0])
    folders = line.start(2)
    a, b = line.queued(folders)
    (line.root / a / schema.CONTROL).mkdir()
    (line.root / a / schema.CONTROL / schema.QUEUE_OVERRIDE).write_text('{"place": "soon", "paused": 3')
    next((line.root / schema.SLOTS).glob(f"*/*/line/{a}")).write_text("\x1b]0;x\x07 not json")
    assert line.names() == [b, a]  # nothing tells when it came
    assert line.let_go(first, *folders) == [first.name, b, a]
