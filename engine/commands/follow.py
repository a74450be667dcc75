"""Runs at work, seen from a terminal: one line that moves on a terminal, plain lines elsewhere."""

import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.runs.reader import History, history
from engine.runs.text import clean, clean_values
from engine.stages import STAGES

GLYPHS = {"error": "✗", "warning": "⚠"}  # of a note's level
LOOK_EVERY = 0.25  # seconds between looks at a run's summary
LINE_EVERY = 10.0  # seconds between plain lines of one run when nothing else happens


def follow(store: Store, ids: Sequence[str], out: TextIO = sys.stderr) -> list[Entry]:
    """Tell what the runs do until each has ended; returns their last entries in the same order.

    Leaving early (ctrl-c) never stops a run: it belongs to its supervisor.
    """
    moving = out.isatty()
    ended: dict[str, Entry] = {}
    told: dict[str, tuple[str, float]] = {}
    while len(ended) < len(ids):
        for run in ids:
            if run in ended:
                continue
            entry = store.entry(store.root / run)
            text = line(entry)
            if not entry.state.living:
                ended[run] = entry
                _say(out, text, moving, last=True)
                for said in warnings(history(entry.folder)):
                    _say(out, said, moving=False, last=True)
            elif entry.state is not State.WAITING:
                if moving:
                    _say(out, text, moving, last=False)
                else:
                    _plain(out, entry, text, told)
        if len(ended) < len(ids):
            time.sleep(LOOK_EVERY)
    return [ended[run] for run in ids]


def line(entry: Entry) -> str:
    """``student  RUNNING  7f21  train 120/1,200  62 steps/s  eta 0:17  val_recall@10 0.1234  best 0.1300``."""
    facts, state, reason = entry.summary, entry.state, entry.status.reason
    parts = [f"{entry.info.stage:<9}", f"{state.value:<8}", entry.id.rsplit("-", 1)[-1]]
    if not state.living:
        parts += [clock(entry.end.wall) if entry.end else "", reason.replace("\n", " · ")]
    elif state is not State.RUNNING:
        parts.append(reason)
    elif facts:
        parts.append(f"{facts.phase} {facts.step:,}/{facts.total:,}".strip() if facts.total else facts.phase)
        parts.append(f"{pace(facts.rate)} {facts.unit}/s" if facts.rate else "")
        parts.append(f"eta {clock(facts.eta)}" if facts.eta is not None else "")
    metric = STAGES[entry.info.stage].main_metric
    if facts and metric and metric.name in facts.last:
        parts.append(f"{metric.name} {number(facts.last[metric.name])}")
        if metric.name in facts.best:
            parts.append(f"best {number(facts.best[metric.name]['v'])}")
    parts.append(faults(entry))
    return "  ".join(part for part in parts if part)


def pace(rate: float) -> str:
    """A rate with two digits at least: 1,234, 62, 3.4, 0.42."""
    return f"{rate:,.{0 if rate >= 10 else 1 if rate >= 1 else 2}f}"


def notes(entry: Entry) -> list[tuple[str, str, dict[str, Any]]]:
    """(level, code, note) of everything that the run's watch (``engine.training.health``) noted, gravest first."""
    known = clean_values(entry.summary.health) if entry.summary else {}
    found = [(str(note.get("level")), code, note) for code, note in known.items() if isinstance(note, dict)]
    return sorted(found, key=lambda item: [*GLYPHS, item[0]].index(item[0]))


def faults(entry: Entry) -> str:
    """``✗ grad_none ⚠ slow``: what lasts of it."""
    return " ".join(f"{GLYPHS[level]} {code}" for level, code, _ in notes(entry) if level in GLYPHS)


def warnings(story: History) -> list[str]:
    """``  ⚠ the knowledge says nothing about ...``: what the stage itself had to say, each once, oldest first."""
    spoken = (event for event in story.notices if event["k"] == "log" and event.get("level") in GLYPHS)
    return list(dict.fromkeys(f"  {GLYPHS[event['level']]} {clean(str(event.get('msg', '')))}" for event in spoken))


def number(value: float | str | None) -> str:
    """Four digits after the point; NaN and infinities are texts in events."""
    return f"{value:.4f}" if isinstance(value, (int, float)) else str(value)


def clock(seconds: float) -> str:
    """``0:07``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _say(out: TextIO, text: str, moving: bool, last: bool) -> None:
    if moving:
        width = _columns(out)
        out.write("\r\x1b[K" + (text if last else text[: width - 1]) + ("\n" if last else ""))
    else:
        out.write(text + "\n")
    out.flush()


def _plain(out: TextIO, entry: Entry, text: str, told: dict[str, tuple[str, float]]) -> None:
    """A line when the state or the newest evaluation changed, or when ten seconds have passed."""
    metric = STAGES[entry.info.stage].main_metric
    newest = entry.summary.last.get(metric.name) if entry.summary and metric else None
    news = f"{entry.state} {newest}"
    before, when = told.get(entry.id, ("", 0.0))
    if news != before or time.monotonic() - when > LINE_EVERY:
        told[entry.id] = (news, time.monotonic())
        _say(out, text, moving=False, last=True)


def _columns(out: TextIO) -> int:
    return shutil.get_terminal_size().columns
