"""Running ``engine`` commands and reading their JSON: the only way in which the cockpit changes anything."""

import asyncio
import json
import shlex
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.runs.text import clean, clean_lines, clean_values


@dataclass(frozen=True)
class CommandResult:
    """How an ``engine`` process ended. ``value``: the JSON that it printed, None without any."""

    status: int
    value: Any
    error: str  # text of stderr, cleaned line by line

    @property
    def message(self) -> str:
        """The error without its traceback, for a message."""
        lines = [line for line in self.error.splitlines() if line.strip()]
        if any(line.startswith("Traceback") for line in lines):
            lines = lines[-1:]
        text = "\n".join(lines[-3:]).removeprefix("error: ")
        return text or f"engine ended with status {self.status}"


LINE_LIMIT = 1 << 24  # bytes of a line of JSON
Ask = Callable[..., Coroutine[Any, Any, CommandResult]]  # ``ask`` below, or its stand-in in tests


def shown(arguments: Sequence[str], runs: Path) -> str:
    """The command to copy, quoted for a shell."""
    return clean(shlex.join(["engine", *arguments, "--runs", str(runs)]), 8000)


async def ask(
    arguments: Sequence[str], runs: Path | None = None, each: Callable[[Any], None] | None = None
) -> CommandResult:
    """Run ``engine`` with these arguments. It has a session of its own, so that it outlives the cockpit.

    ``each`` receives the value of every line but the last as soon as it is printed.
    """
    folder = ["--runs", str(runs)] if runs else []
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "engine",
        *arguments,
        *folder,
        "--json",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=LINE_LIMIT,
    )
    out, err = await (_lines(process, each) if each else process.communicate())
    return CommandResult(process.returncode or 0, _json(out), clean_lines(err.decode("utf-8", "replace")))


async def _lines(process: asyncio.subprocess.Process, each: Callable[[Any], None]) -> tuple[bytes, bytes]:
    """The last line of stdout, and stderr."""
    assert process.stdout is not None and process.stderr is not None
    errors = asyncio.ensure_future(process.stderr.read())
    last = b""
    async for line in process.stdout:
        if last:
            each(_json(last))
        last = line
    await process.wait()
    return last, await errors


def _json(text: bytes) -> Any:
    """The JSON value that was printed: the whole output, or else its last line."""
    for part in (text, text.strip().rpartition(b"\n")[2]):
        try:
            return clean_values(json.loads(part))
        except (ValueError, RecursionError):
            continue
    return None


def stop_arguments(run: str, when: str) -> list[str]:
    """``when``: evaluation, now, kill."""
    return ["stop", run, *{"evaluation": ["--after-evaluation"], "now": [], "kill": ["--kill"]}[when]]


def resume_arguments(run: str) -> list[str]:
    return ["resume", run, "--detach"]
