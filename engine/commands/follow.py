"""Progress of runs in a terminal: one line that is overwritten, or separate lines where the output is no terminal."""

import math
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from engine.commands.run_text import status_line, warning_lines
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.report.tables import resized
from engine.runs.reader import history
from engine.stages import STAGES

POLL_EVERY = 0.25  # seconds between two readings of a run's summary
LINE_EVERY = 10.0  # seconds between separate lines of one run without news


def follow(store: Store, ids: Sequence[str], out: TextIO | None = None, timeout: float = math.inf) -> list[Entry]:
    """Print the progress of the runs until each has ended; returns their last entries in the same order.

    After ``timeout`` seconds some of them may be at work still.
    ``out`` is stderr unless given. Leaving early (ctrl-c) never stops a run: it belongs to its supervisor.
    """
    out = out or sys.stderr
    deadline = time.monotonic() + timeout
    terminal = out.isatty()
    ended: dict[str, Entry] = {}
    printed: dict[str, tuple[str, float]] = {}  # run -> what its latest line reported, and when
    while len(ended) < len(ids) and time.monotonic() <= deadline:
        for run in ids:
            if run in ended:
                continue
            entry = store.entry(store.root / run)
            if not entry.state.living:
                ended[run] = entry
                lines = [status_line(entry), *warning_lines(history(entry.folder))]
                _write(out, ("\r\x1b[K" if terminal else "") + "\n".join(lines) + "\n")
            elif entry.state is State.WAITING:
                continue
            elif terminal:
                _write(out, "\r\x1b[K" + resized(status_line(entry), shutil.get_terminal_size().columns - 1).rstrip())
            elif _is_news(entry, printed):
                _write(out, status_line(entry) + "\n")
        if len(ended) < len(ids):
            time.sleep(POLL_EVERY)
    return [ended.get(run) or store.entry(store.root / run) for run in ids]


def _is_news(entry: Entry, printed: dict[str, tuple[str, float]]) -> bool:
    """Whether the state or the latest evaluation has changed, or ten seconds have passed. Remembers a yes."""
    metric = STAGES[entry.info.stage].main_metric(entry.summary.last if entry.summary else ())
    latest = entry.summary.last.get(metric.name) if entry.summary and metric else None
    report, now = f"{entry.state} {latest}", time.monotonic()
    before, when = printed.get(entry.id, ("", 0.0))
    if report == before and now - when <= LINE_EVERY:
        return False
    printed[entry.id] = (report, now)
    return True


def _write(out: TextIO, text: str) -> None:
    out.write(text)
    out.flush()
