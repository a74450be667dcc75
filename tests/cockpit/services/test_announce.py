"""Notifications of the terminal, and the command of a person."""

import sys

from cockpit.services.announce import BELL, OSC9, OSC777, run, sequence


def test_each_kind_of_notification_is_the_terminals_own():
    assert sequence(BELL, "cockpit", "x", tmux=True) == "\a"
    assert sequence(OSC9, "cockpit", "run ended", tmux=False) == "\x1b]9;cockpit: run ended\a"
    assert sequence(OSC777, "a;b", "run ended", tmux=False) == "\x1b]777;notify;a,b;run ended\a"
    assert sequence(OSC9, "c", "x", tmux=True) == "\x1bPtmux;\x1b\x1b]9;c: x\a\x1b\\"


def test_a_text_cannot_end_the_sequence_and_begin_another():
    made = sequence(OSC777, "cockpit", "x\a\x1b]0;PWNED\a", tmux=False)
    assert made.count("\x1b") == 1 and made.count("\a") == 1


async def test_a_command_gets_the_facts_in_its_environment_and_no_shell(tmp_path):
    code = "import os, sys; open(sys.argv[1], 'w').write(os.environ['COCKPIT_TEXT'] + sys.argv[2])"
    text = "$(touch x); `y` 'z'"
    file = tmp_path / "out"
    assert await run([sys.executable, "-c", code, str(file), "; rm -rf ."], {"COCKPIT_TEXT": text}) == ""
    assert file.read_text() == text + "; rm -rf ."


async def test_failures_of_a_command_are_reported():
    assert "No such file" in await run(["/no/such/command"], {})
    failed = await run([sys.executable, "-c", "import sys; print('no display', file=sys.stderr); sys.exit(3)"], {})
    assert failed.endswith("ended with status 3: no display")
    assert "killed" in await run([sys.executable, "-c", "import time; time.sleep(60)"], {}, wait=0.05)
    assert "null byte" in await run([sys.executable], {"COCKPIT_TEXT": "a\0b"})
