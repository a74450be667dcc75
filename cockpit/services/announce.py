"""Announces an end outside of the screen: the terminal's own notification, and a command of the person's."""

import asyncio
import os
from collections.abc import Mapping, Sequence

from engine.runs.text import clean

WAIT = 60.0  # seconds that the command may take
BELL, OSC9, OSC777 = "bell", "osc9", "osc777"


def sequence(kind: str, title: str, text: str, *, tmux: bool) -> str:
    """What makes a terminal notify. ``tmux``: wrapped, so that tmux passes it on to the terminal around it."""
    if kind == BELL:
        return "\a"
    title, text = clean(title).replace(";", ","), clean(text)
    made = f"\x1b]9;{title}: {text}\a" if kind == OSC9 else f"\x1b]777;notify;{title};{text}\a"
    return "\x1bPtmux;" + made.replace("\x1b", "\x1b\x1b") + "\x1b\\" if tmux else made


async def run(command: Sequence[str], facts: Mapping[str, str], wait: float = WAIT) -> str:
    """Run a command, an argument list, with ``facts`` in its environment; returns why it failed, or nothing."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **facts},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"{command[0]}: {getattr(error, 'strerror', None) or error}"
    try:
        _, errors = await asyncio.wait_for(process.communicate(), wait)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"{command[0]} did not end within {wait:.0f} s and was killed"
    if process.returncode == 0:
        return ""
    lines = [line for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    return clean(f"{command[0]} ended with status {process.returncode}" + (f": {lines[-1]}" if lines else ""), 400)
