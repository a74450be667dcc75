"""Screen 5: who uses the machine, and keys that act on the run behind a process."""

import dataclasses
import os

import pytest

from cockpit.compose import draw
from cockpit.models.processes import ProcessSample
from cockpit.render.lines import plain, width
from cockpit.services import sizes
from cockpit.services.system import Machine
from engine.jobs.nvml import Gpu

SIZES = [(80, 24), (120, 40), (200, 60)]
NOW = 1_790_000_000.0


def machine(*processes, gpu=True):
    card = Gpu(0, "NVIDIA H200", "", 0.87, 61e9, 139e9, 54, 412, ((os.getpid(), 60e9),))
    return Machine(0.4, 8e9, 64e9, 5e9, 400e9, (card,) if gpu else (), "" if gpu else "no GPU", 8, processes, NOW)


@pytest.fixture
def system(context, ready, world, press, monkeypatch):
    """The screen with one run at work (this very process), a browser, and a GPU."""
    # Blocks differ between file systems: here the oldest run takes least.
    monkeypatch.setattr(sizes, "disk_use", lambda folder: 10_000_000 // (1 + int(folder.name[-2:], 16)))
    press(ready(context), "5")
    me = ProcessSample(os.getpid(), 1, "python -m engine.jobs.supervisor", "me", 0.75, 500e6, NOW - 3700)
    child = ProcessSample(4_000_001, os.getpid(), "python -m engine stage", "me", 1.25, 2.5e9, NOW - 3600)
    context.record_machine(machine(me, child, ProcessSample(4_000_002, 1, "firefox", "you", 3.5, 4e9, NOW - 90_000)))
    screen = context.screens["system"]
    while not screen.sizes.complete or screen.sizes._todo:
        context.tick()
    return context


@pytest.mark.parametrize("size", SIZES)
def test_it_shows_machine_processes_and_disk(system, snapshot, size):
    lines = draw(system, *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"system-{size[0]}x{size[1]}", plain(lines))


def test_a_process_leads_to_its_run(system, world, press):
    waiting = {world["waiting"], world["queued"]}  # this very process is their supervisor
    assert system.row.id in waiting
    press(system, "enter")
    assert system.screen.name == "live" and system.screens["live"].run in waiting


def test_a_run_is_stopped_from_here(system, press):
    run = system.row.id
    press(system, "x", "down", "enter")
    assert "stop requested" in system.message[0] and run.removeprefix(system.row.stage + "-")[2:] in system.message[0]


def test_a_process_of_nobodys_run_is_left_alone(system, press):
    press(system, "j", "enter")
    assert "belongs to no run" in system.message[0] and system.screen.name == "system"
    press(system, "x")
    assert "there is no run here" in system.message[0]


def test_the_biggest_runs_can_be_opened(system, press):
    press(system, "tab", "j")
    wanted = system.screens["system"].biggest[1].id
    press(system, "enter")
    assert system.screens["live"].run == wanted


def test_the_cursor_stays_on_its_process_when_the_order_changes(system, press):
    press(system, "j")
    before = system.watch.machine
    more = ProcessSample(4_000_009, 1, "busier", "you", 7.0, 9e9, NOW)
    system.record_machine(dataclasses.replace(before, processes=(*before.processes, more), time=NOW + 4))
    system.tick()
    screen = system.screens["system"]
    assert screen.users[screen.cursors["users"].line].command == "firefox"


def test_a_full_disk_is_shown_with_what_helps(system):
    assert "full soon: engine rm ID" in plain(draw(system, 120, 40))


def test_no_gpu_is_one_line_and_no_error(system):
    system.record_machine(machine(gpu=False))
    assert plain(draw(system, 120, 40)).count("no GPU") == 1


def test_a_click_takes_the_line_under_it(system):
    draw(system, 200, 60)
    screen = system.screens["system"]
    x, y, _ = screen.boxes["users"]
    screen.click(x + 5, y + 1)
    assert screen.cursors["users"].line == 1
    x, y, _ = screen.boxes["disk"]
    screen.click(x + 50, y)
    assert screen.focus == "disk" and screen.cursors["disk"].line == 0
