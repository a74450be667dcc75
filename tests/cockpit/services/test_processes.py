"""Processes as the machine shows them, and the runs that name some of them."""

import os
import subprocess
import sys

from cockpit.services.processes import ProcessSampler, workers
from engine.runs.identity import Identity
from engine.runs.schema import Process


def test_a_process_that_works_takes_a_core():
    code = "print('ready', flush=True)\nwhile True: pass"
    busy = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        busy.stdout.readline()
        looks = ProcessSampler()
        first = {process.pid: process for process in looks.poll()}[busy.pid]
        assert first.cpu is None and first.parent == os.getpid() and first.memory > 1e6
        while True:  # it has to have run for a moment between two looks
            again = {process.pid: process for process in looks.poll()}[busy.pid]
            if again.cpu:
                break
        assert 0 < again.cpu < 2.5 and again.started == first.started and "while True" in again.command
    finally:
        busy.kill()
        busy.wait()
        busy.stdout.close()


def test_a_command_line_is_cleaned_before_it_is_kept():
    evil = "import sys; sys.stdin.read() #\x1b]0;PWNED\x07\u202e"
    process = subprocess.Popen([sys.executable, "-c", evil], stdin=subprocess.PIPE)
    try:
        commands = ""
        while "stdin" not in commands:  # until the new program has taken the place of the fork
            commands = {p.pid: p.command for p in ProcessSampler().poll()}[process.pid]
        assert commands.isprintable() and "PWNED" not in commands
    finally:
        process.communicate()


def test_only_processes_that_live_are_a_runs_own(maker):
    me = Identity.of(os.getpid())
    living, dead, silent = maker.planned(), maker.planned(), maker.planned()
    Process(1, me, "running", 1.0).write(living)
    Process(1, Identity(me.host, me.boot, me.pid, "long ago"), "running", 1.0).write(dead)
    assert workers(maker.root, [living.name, dead.name, silent.name, "gone"]) == {me.pid: living.name}
