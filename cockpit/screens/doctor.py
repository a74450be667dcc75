"""The findings of ``engine doctor`` on a run or a form: every check with its evidence, likely cause and remedy."""

import time

from cockpit.context import Context, Screen
from cockpit.keys import DOCTOR
from cockpit.models.findings import VERDICTS, findings
from cockpit.models.rows import Row
from cockpit.render.lines import Line, Lines, block, wrap
from cockpit.services.engine import CommandResult
from engine.report import numbers
from engine.wire import ReportedCheck

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

    @property
    def row(self) -> Row | None:
        return self.context.list.rows.get(self._run)

    def title(self) -> Line:
        line: Line = [(f"  {self.subject}", "bold")]
        if self._since is not None:
            return [*line, (f"  running for {numbers.duration(self.context.clock() - self._since)}", "warn")]
        bad = sum(one.verdict == "fail" for one in self.found)
        if self.found:
            line.append((f"  ✗ NOT SOUND: {bad} of {len(self.found)}" if bad else "  ✓ sound", "bad" if bad else "ok"))
            line.append((f"  in {numbers.duration(self.took)}" if self.took else "", "dim"))
        return line

    def poll(self) -> bool:
        """Whether another second has passed, which the top line counts."""
        before, self._second = self._second, int(self.context.clock()) if self._since is not None else 0
        return self._second != before

    def open(self, subject: str, arguments: list[str], run: str = "", result: CommandResult | None = None) -> None:
        """Examine a run, or a stage with settings; or show a ``result`` that is there already."""
        if self._since is not None:
            self.context.notify("engine doctor is running already", "warn")
            return
        self.subject, self._arguments, self._run, self.scroll.top = subject, arguments, run, 0
        self.found, self.trouble, self.took = [], "", 0.0
        if result is not None:
            self._take(result)
        else:
            self._since = self.context.clock()
            self.context.effects.spawn(self._examine())

    async def _examine(self) -> None:
        begin = time.monotonic()
        result = await self.context.ask(["doctor", *self._arguments], self.context.root)
        self._since, self.took = None, time.monotonic() - begin
        self._take(result)
        failed = [one.check for one in self.found if one.verdict == "fail"]
        outcome = f"the doctor objects: {', '.join(failed)}" if failed else self.trouble or "no check failed"
        self.context.notify(f"{self.subject}: {outcome}", "bad" if failed or self.trouble else "")

    def _take(self, result: CommandResult) -> None:
        found = findings(result.value)
        self.found, self.trouble = found or [], result.message if found is None else ""

    def draw(self, across: int, down: int) -> Lines:
        lines = self._lines(across)
        return block(lines[self.scroll.fit(len(lines), down) :], across, down)

    def _lines(self, across: int) -> Lines:
        if not self.found:
            running = "engine doctor is running: up to two minutes, also while another screen is open"
            nothing = running if self._since is not None else "nothing was examined yet"
            text, style = (self.trouble, "bad") if self.trouble else (nothing, "dim")
            return [[(f"  {part}", style)] for part in text.splitlines()]
        out: Lines = []
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
