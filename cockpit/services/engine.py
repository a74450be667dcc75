"""Starting ``engine`` processes and taking their answers: the only way in which the cockpit makes anything happen."""

import asyncio
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.runs.text import clean, clean_lines, clean_values


@dataclass(frozen=True)
class CommandResult:
    """How an ``engine`` process ended. ``value`` is the JSON it printed, None when it printed none."""

    status: int
    value: Any
    error: str  # cleaned; lines kept

    @property
    def message(self) -> str:
        """What to tell a person when it failed: the error without its traceback."""
        lines = [line for line in self.error.splitlines() if line.strip()]
        if any(line.startswith("Traceback") for line in lines):
            lines = lines[-1:]
        text = "\n".join(lines[-3:]).removeprefix("error: ")
        return text or f"engine ended with status {self.status}"


def command(words: Sequence[str], runs: Path) -> list[str]:
    """The words of a shell command, as a person would type it."""
    return ["engine", *words, "--runs", str(runs)]


def shown(words: Sequence[str], runs: Path) -> str:
    """The command to copy, quoted for a shell."""
    return clean(shlex.join(command(words, runs)), 8000)


async def ask(words: Sequence[str], runs: Path | None = None) -> CommandResult:
    """Run ``engine`` with these words and take its answer. It has a session of its own: our end is not its end."""
    place = ["--runs", str(runs)] if runs else []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "engine",
        *words,
        *place,
        "--json",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    out, err = await process.communicate()
    return CommandResult(process.returncode or 0, _json(out), clean_lines(err.decode("utf-8", "replace")))


def _json(text: bytes) -> Any:
    """The JSON value that was printed: the whole output, or its last line."""
    for part in (text, text.strip().rpartition(b"\n")[2]):
        try:
            return clean_values(json.loads(part))
        except (ValueError, RecursionError):
            continue
    return None


def stop_words(run: str, when: str) -> list[str]:
    """``when``: evaluation, now, kill."""
    return ["stop", run, *{"evaluation": ["--after-evaluation"], "now": [], "kill": ["--kill"]}[when]]


def resume_words(run: str) -> list[str]:
    return ["resume", run, "--detach"]
