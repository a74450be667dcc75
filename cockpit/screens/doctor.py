"""The findings of ``engine doctor`` on a run or a form: every check with its evidence, likely cause and remedy."""

import time
from typing import Any

from cockpit.context import Context, Screen
from cockpit.keys import DOCTOR
from cockpit.models import findings
from cockpit.models.findings import VERDICTS
from cockpit.models.rows import Row
from cockpit.render.lines import Line, Lines, block, wrap
from cockpit.services.engine import CommandResult
from engine.report import numbers
from engine.wire import DoctorProgress, ReportedCheck

NAME = 28  # cells of a check's name


class DoctorScreen(Screen):
    """Findings on ``subject``, which ``open`` requests or is given."""

    name = DOCTOR

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.subject = ""
        self.found: list[ReportedCheck] = []
        self.trouble = ""
        self._arguments: list[str] = []  # of ``engine doctor``
        self._run = ""
        self._since: float | None = None  # start of the examination that is running
        self.took = 0.0
        self._second = 0
        self.progress = DoctorProgress(0, 0)  # of the examination that is running
        self._news = False

    @property
    def row(self) -> Row | None:
        return self.context.list.rows.get(self._run)

    def title(self) -> Line:
        line: Line = [(f"  {self.subject}", "bold")]
        if self._since is not None:
            done = f"{self.progress.done} of {self.progress.total} checks, " if self.progress.total else ""
            waited = numbers.duration(self.context.clock() - self._since)
            return [*line, (f"  {done}running for {waited}", "warn")]
        bad = sum(one.verdict == "fail" for one in self.found)
        if self.found:
            line.append((f"  ✗ NOT SOUND: {bad} of {len(self.found)}" if bad else "  ✓ sound", "bad" if bad else "ok"))
            line.append((f"  in {numbers.duration(self.took)}" if self.took else "", "dim"))
        return line

    def poll(self) -> bool:
        """Whether a check has ended, or another second has passed, which the top line counts."""
        before, self._second = self._second, int(self.context.clock()) if self._since is not None else 0
        news, self._news = self._news, False
        return news or self._second != before

    def open(self, subject: str, arguments: list[str], run: str = "", result: CommandResult | None = None) -> None:
        """Examine a run, or a stage with settings; or show a ``result`` that is there already."""
        if self._since is not None:
            self.context.notify("engine doctor is running already", "warn")
            return
        self.subject, self._arguments, self._run, self.scroll.top = subject, arguments, run, 0
        self.found, self.trouble, self.took, self.progress = [], "", 0.0, DoctorProgress(0, 0)
        if result is not None:
            self._take(result)
        else:
            self._since = self.context.clock()
            self.context.effects.spawn(self._examine())

    async def _examine(self) -> None:
        begin = time.monotonic()
        result = await self.context.ask(["doctor", *self._arguments, "--lines"], self.context.root, self._hear)
        self._since, self.took = None, time.monotonic() - begin
        self._take(result)
        failed = [one.check for one in self.found if one.verdict == "fail"]
        outcome = f"the doctor objects: {', '.join(failed)}" if failed else self.trouble or "no check failed"
        self.context.notify(f"{self.subject}: {outcome}", "bad" if failed or self.trouble else "")

    def _hear(self, line: Any) -> None:
        """Take a line that is printed before the end: what begins, or a check that has ended."""
        progress = findings.progress(line)
        if progress is None:
            return
        self.progress, self._news = progress, True
        if progress.found is not None:
            self.found = findings.by_gravity([*self.found, progress.found])

    def _take(self, result: CommandResult) -> None:
        found = findings.findings(result.value)
        self.found, self.trouble = found or [], result.message if found is None else ""

    def draw(self, across: int, down: int) -> Lines:
        lines = self._lines(across)
        return block(lines[self.scroll.fit(len(lines), down) :], across, down)

    def _lines(self, across: int) -> Lines:
        out: Lines = []
        if self._since is not None and self.progress.now:
            out.append([(" ◌ now   ", "warn"), (self.progress.now, "dim")])
        if not self.found and not out:
            running = "engine doctor is running: up to two minutes, also while another screen is open"
            nothing = running if self._since is not None else "nothing was examined yet"
            text, style = (self.trouble, "bad") if self.trouble else (nothing, "dim")
            return [[(f"  {part}", style)] for part in text.splitlines()]
        for one in self.found:
            glyph, word, style, _ = VERDICTS.get(one.verdict, ("?", one.verdict, "warn", 0))
            head: Line = [(f" {glyph} {word}  ", style), (f"{one.check:<{NAME}} ", "bold"), (one.evidence, "")]
            out += wrap(head, across, 9)
            for name, text in (("cause", one.cause), ("remedy", one.remedy)):
                if text:
                    out += wrap([(f"         {name:<7} ", "key"), (text, "")], across, 17)
        return out

    def why_not_doctor(self) -> str:
        return "" if self._arguments else "nothing was examined yet"

    def do_doctor(self) -> None:
        """Examine it again."""
        self.open(self.subject, self._arguments, self._run)
