"""A real pseudo-terminal with a program in it: types keys, counts bytes, and knows what the screen shows.

Understands as much of a terminal as the cockpit's output needs: cursor positions, styles, line feeds, erasing.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence

from rich.cells import cell_len

TOKEN = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][AB0]|\x1b[=>78cM]|.", re.DOTALL)
UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*|[()])?$")


class PtyTerminal:
    """``rate`` limits how many bytes a second are taken, as a slow line would."""

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int],
        environment: Mapping[str, str] | None = None,
        rate: float = 0,
    ) -> None:
        self.width, self.height = size
        self.bytes = 0
        self.reads: list[tuple[float, int]] = []
        self.raw = bytearray()
        self._cells = [[" "] * self.width for _ in range(self.height)]
        self._row = self._column = 0
        self._rest = ""
        self._undecoded = b""
        self._rate, self._allowance, self._last = rate, 0.0, time.perf_counter()
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            # Before the program starts, so that its first text has the right size; and nowhere else, so that it
            # asks again when the window is resized.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", self.height, self.width, 0, 0))
            inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
            os.execvpe(command[0], list(command), {**inherited, "TERM": "xterm-256color", **(environment or {})})
        self.resize(self.width, self.height)
        self.exit: int | None = None

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join("".join(row).rstrip() for row in self._cells)

    def row(self, number: int) -> str:
        """What one row of the screen shows."""
        return "".join(self._cells[number]).rstrip()

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def read(self, wait: float = 0.005) -> int:
        """Take what the program has written; gives the number of bytes."""
        most = 65536
        if self._rate:
            now = time.perf_counter()
            self._allowance = min(self._allowance + (now - self._last) * self._rate, self._rate * 0.05 + 64)
            self._last = now
            if self._allowance < 64:
                select.select([], [], [], wait)
                return 0
            most = int(self._allowance)
        if not select.select([self._fd], [], [], wait)[0]:
            return 0
        try:
            data = os.read(self._fd, most)
        except OSError:  # the other end is closed
            return 0
        self._allowance -= len(data)
        self.bytes += len(data)
        self.raw = (self.raw + data)[-200_000:]
        self._feed(data)
        return len(data)

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> float:
        """Read until something is true; gives the seconds that took. Fails with the text when it never is."""
        start = time.perf_counter()
        while not condition():
            self.read()
            if time.perf_counter() - start > seconds:
                raise AssertionError(f"not within {seconds} s:\n{self.text}")
        return time.perf_counter() - start

    def shows(self, *words: str, seconds: float = 60) -> float:
        """Read until the screen shows all the words."""
        return self.until(lambda: all(word in self.text for word in words), seconds)

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; gives the status that ``waitpid`` tells."""
        if self.exit is None:
            os.kill(self.pid, number)
            self.wait()
        assert self.exit is not None
        return self.exit

    def hang_up(self) -> int:
        """Close the line, as an SSH session that breaks does; the kernel sends SIGHUP."""
        os.close(self._fd)
        self._fd = -1
        return self.wait()

    def wait(self, seconds: float = 30) -> int:
        deadline = time.perf_counter() + seconds
        while self.exit is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.exit = os.waitstatus_to_exitcode(status)
            elif self._fd >= 0:
                self.read()
            assert time.perf_counter() < deadline, "the program does not end"
        return self.exit

    def close(self) -> None:
        self.kill()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # -- as much of a terminal as is needed ----------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        data = self._undecoded + data
        end = len(data)
        while end and end > len(data) - 4 and data[end - 1] >= 0x80:
            try:
                data[:end].decode()
                break
            except UnicodeDecodeError:
                end -= 1
        self._undecoded = data[end:]
        text = self._rest + data[:end].decode("utf-8", "replace")
        cut = UNFINISHED.search(text)
        self._rest = text[cut.start() :] if cut else ""
        for token in TOKEN.findall(text[: cut.start()] if cut else text):
            self._take(token)

    def _take(self, token: str) -> None:
        if token.startswith("\x1b"):
            self._obey(token)
        elif token == "\n":
            self._row = min(self._row + 1, self.height - 1)
        elif token == "\r":
            self._column = 0
        elif token >= " ":
            for offset in range(cell_len(token)):
                if self._row < self.height and self._column + offset < self.width:
                    self._cells[self._row][self._column + offset] = "" if offset else token
            self._column += cell_len(token)

    def _obey(self, token: str) -> None:
        if token.endswith("$p") and "2026" in token:  # asked whether updates can be synchronised: yes
            os.write(self._fd, b"\x1b[?2026;2$y")
        elif token.startswith("\x1b[") and token[-1] in "Hf":
            parts = [int(part or 1) for part in token[2:-1].split(";")] if token[2:-1] else [1, 1]
            self._row, self._column = parts[0] - 1, (parts[1] if len(parts) > 1 else 1) - 1
        elif token in ("\x1b[2J", "\x1b[J", "\x1b[0J", "\x1b[?1049h"):
            self._cells = [[" "] * self.width for _ in range(self.height)]
