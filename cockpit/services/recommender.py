"""One resident ``engine serve-local`` process: requests and answers are lines of JSON; it ends with the cockpit.

Its input is a pipe whose other end only this process holds: however the cockpit ends, the pipe closes and the server
exits. The process starts with the first request.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cockpit.services import engine
from engine.runs.text import clean, clean_lines, clean_values

LONGEST = 1 << 24  # bytes of an answer
KEPT = 8000  # bytes of its stderr


@dataclass(frozen=True)
class Reply:
    """One line of an answer. ``error``: why there is none; ``more``: another line follows."""

    result: Any = None
    error: str = ""
    more: bool = False


Receive = Callable[[Reply], None]


class RecommenderProcess:
    """The models of one run. ``ended`` is why no more answers come; empty while the server runs."""

    def __init__(self, run: str, root: Path) -> None:
        self.run, self.root = run, root
        self.ended = ""
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._closed = False
        self._number = 0
        self._first: dict[int, asyncio.Future[Reply]] = {}
        self._later: dict[int, Receive] = {}
        self._stderr = b""

    async def ask(self, method: str, later: Receive | None = None, **more: Any) -> Reply:
        """The first line of the answer; ``later`` receives the lines after it."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        await self._starting
        if self.ended or self._process is None or self._process.stdin is None:
            return Reply(error=self.ended)
        self._number = number = self._number + 1
        self._first[number] = asyncio.get_running_loop().create_future()
        if later is not None:
            self._later[number] = later
        self._process.stdin.write(json.dumps({"id": number, "method": method, **more}).encode() + b"\n")
        return await self._first[number]

    def close(self) -> None:
        """End the server; pending requests get an error."""
        self._closed = True
        self._end("closed")
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _start(self) -> None:
        words = [sys.executable, "-m", "engine", "serve-local", self.run, "--runs", str(self.root)]
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *words, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST, start_new_session=True
        )
        self._reading = asyncio.create_task(self._read(self._process))
        if self._closed and self._process.stdin is not None:
            self._process.stdin.close()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Dispatch lines until the end of the output."""
        assert process.stdout is not None
        listening = asyncio.create_task(self._listen(process))
        while line := await process.stdout.readline():
            try:
                self._dispatch(clean_values(json.loads(line)))
            except ValueError:
                self._end(f"the server answered with something else than JSON: {clean(repr(line), 200)}")
        await listening
        status = await process.wait()
        error = clean_lines(self._stderr.decode("utf-8", "replace"))
        self._end(engine.CommandResult(status, None, error).message)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Keep the end of stderr; a full pipe would block the server."""
        assert process.stderr is not None
        while part := await process.stderr.read(4096):
            self._stderr = (self._stderr + part)[-KEPT:]

    def _dispatch(self, line: dict[str, Any]) -> None:
        number, error = line.get("id"), line.get("error")
        if not isinstance(number, int):
            return
        if isinstance(error, dict):
            reply = Reply(error="  ".join(str(error[part]) for part in ("cause", "remedy") if error.get(part)))
        else:
            reply = Reply(line.get("result"), "", bool(line.get("more")))
        first = self._first.pop(number, None)
        later = self._later.get(number) if reply.more else self._later.pop(number, None)
        if first is not None and not first.done():
            first.set_result(reply)
        elif later is not None and reply.result is not None:  # a superseded request has no result
            later(reply)

    def _end(self, why: str) -> None:
        self.ended = self.ended or why
        for waiting in self._first.values():
            if not waiting.done():
                waiting.set_result(Reply(error=self.ended))
        self._first.clear()
        self._later.clear()


Serve = Callable[[str, Path], RecommenderProcess]  # run, folder of runs
