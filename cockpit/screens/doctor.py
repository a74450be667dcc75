"""What the doctor found about a run or about a form: every check with what it saw, the likely cause and the remedy."""

import time
from typing import TYPE_CHECKING

from cockpit.keys import DOCTOR
from cockpit.models.findings import VERDICTS, findings
from cockpit.models.rows import Row
from cockpit.render.lines import Line, Lines, block, wrap
from engine.report import numbers
from engine.wire import ReportedCheck

if TYPE_CHECKING:
    from cockpit.context import Context
    from cockpit.services.engine import CommandResult

NAME = 28  # cells of a check's name


class DoctorScreen:
    """``examine`` asks, ``show`` takes an answer that somebody else has; the page scrolls."""

    name = DOCTOR

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.subject = ""
        self.found: list[ReportedCheck] = []
        self.trouble = ""
        self._asked: list[str] = []  # the words after ``engine doctor``
        self._run = ""
        self._since: float | None = None  # when the examination began that is going on
        self._took = 0.0
        self._second = 0
        self._top = 0
        self._page = 10

    @property
    def row(self) -> Row | None:
        return self.context.list.rows.get(self._run)

    def title(self) -> Line:
        line: Line = [(f"  {self.subject}", "bold")]
        if self._since is not None:
            return [*line, (f"  looking for {numbers.duration(self.context.clock() - self._since)}", "warn")]
        bad = sum(one.verdict == "fail" for one in self.found)
        if self.found:
            line.append((f"  ✗ NOT SOUND: {bad} of {len(self.found)}" if bad else "  ✓ sound", "bad" if bad else "ok"))
            line.append((f"  in {numbers.duration(self._took)}" if self._took else "", "dim"))
        return line

    def poll(self) -> bool:
        """Whether another second of looking has passed, which the top line counts."""
        before, self._second = self._second, int(self.context.clock()) if self._since is not None else 0
        return self._second != before

    def watched(self) -> list[str]:
        return []

    def click(self, x: int, y: int) -> None:
        """Nothing here can be clicked."""

    def examine(self, subject: str, asked: list[str], run: str = "") -> None:
        """Have the doctor look at a run's id or at a stage with settings; what it finds appears when it is done."""
        if self._since is not None:
            self.context.say("the doctor is looking already", "warn")
            return
        self.subject, self._asked, self._run = subject, asked, run
        self.found, self.trouble, self._top, self._since = [], "", 0, self.context.clock()
        self.context.effects.spawn(self._examine())

    async def _examine(self) -> None:
        begin = time.monotonic()
        answer = await self.context.ask(["doctor", *self._asked], self.context.root)
        self._since, self._took = None, time.monotonic() - begin
        self._take(answer)
        bad = [one.check for one in self.found if one.verdict == "fail"]
        told = f"the doctor objects: {', '.join(bad)}" if bad else self.trouble or "the doctor found nothing wrong"
        self.context.say(f"{self.subject}: {told}", "bad" if bad or self.trouble else "")

    def show(self, subject: str, asked: list[str], answer: "CommandResult") -> None:
        """Show what the doctor told somebody else."""
        self.subject, self._asked, self._run, self._top, self._took = subject, asked, "", 0, 0.0
        self._take(answer)

    def _take(self, answer: "CommandResult") -> None:
        found = findings(answer.value)
        self.found, self.trouble = found or [], answer.message if found is None else ""

    def draw(self, across: int, down: int) -> Lines:
        lines = self._lines(across)
        self._page = down
        self._top = max(0, min(self._top, len(lines) - down))
        return block(lines[self._top :], across, down)

    def _lines(self, across: int) -> Lines:
        if not self.found:
            looking = "the doctor looks: this takes up to two minutes, and goes on while you are elsewhere"
            nothing = looking if self._since is not None else "nothing was examined yet"
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

    # -- keys ----------------------------------------------------------------------------------------------------

    def why_not_doctor(self) -> str:
        return "" if self._asked else "nothing was examined yet"

    def do_doctor(self) -> None:
        """Once more."""
        self.examine(self.subject, self._asked, self._run)

    def do_down(self) -> None:
        self._top += 1

    def do_up(self) -> None:
        self._top = max(0, self._top - 1)

    def do_page_down(self) -> None:
        self._top += self._page // 2

    def do_page_up(self) -> None:
        self._top = max(0, self._top - self._page // 2)

    def do_first(self) -> None:
        self._top = 0

    def do_last(self) -> None:
        self._top = 100_000
