"""Every key, from the one table, and the filter language."""

from cockpit.actions import navigate
from cockpit.context import Screen
from cockpit.keys import HELP, SCREENS, SHOWN, caption
from cockpit.models import query
from cockpit.panes.run_table import STATES
from cockpit.render.lines import Line, Lines, block, plain
from engine.report.tables import column

ABOUT = {
    "RUNNING": "running, with events in the last seconds",
    "STALLED": "its process is alive but reports nothing: it may hang",
    "WAITING": "waits for the runs whose artifacts it needs",
    "QUEUED": "waits for a free slot of the device",
    "DONE": "finished",
    "FAILED": "ended with an error, which is shown beside it",
    "STOPPED": "stopped by a person after a checkpoint: R resumes it",
    "KILLED": "ended by a signal, or out of memory",
    "LOST": "its process or machine vanished without recording an end: R resumes it",
    "OTHER": "of another program (--also): only when it last wrote is known; nothing is changed there",
}


class HelpScreen(Screen):
    """One long page."""

    name = HELP

    find = ""

    def title(self) -> Line:
        return [(f"  / {self.find}", "key")] if self.find else [("  j k scroll, / searches, q back", "dim")]

    def draw(self, across: int, down: int) -> Lines:
        lines = self._found()
        return block(lines[self.scroll.fit(len(lines), down) :], across, down)

    def do_filter(self) -> None:
        before = self.find

        def take(text: str) -> None:
            self.find, self.scroll.top = text.strip(), 0

        hint = "words of a key's or a state's description"
        self.context.open_prompt("search", before, take, live=take, cancel=lambda: take(before), hint=hint)

    def do_back(self) -> None:
        """Show the whole page again, then leave it."""
        if self.find:
            self.find = ""
        else:
            navigate.do_back(self.context)

    def _found(self) -> Lines:
        """Lines with every word of the search text below the headings of their parts."""
        wanted = self.find.lower().split()
        if not wanted:
            return self.lines()
        out: Lines = []
        heading: Line = []
        for line in self.lines():
            if any(style == "header" for _, style in line):
                heading = line
            elif all(word in plain([line]).lower() for word in wanted):
                if heading:
                    out += [heading]
                    heading = []
                out.append(line)
        return out or [[], [(f"  nothing here has {self.find!r} in it: esc shows the whole page", "dim")]]

    def lines(self) -> Lines:
        """The whole page."""
        out: Lines = []
        for screen in SCREENS:
            keys = (key for key in self.context.keys.table if key.action in (screen, f"show_{screen}"))
            opens = next((key.shown for key in keys), SCREENS[screen][0])  # one screen's key opens two
            out += [[], [(f" {caption(screen)} ({opens})", "header")]]
            for key in self.context.keys.of(screen):
                shown = " ".join(SHOWN.get(name, name) for name in key.keys)
                out.append([("   " + column(shown, 18), "key"), (column(key.label, 14), ""), (key.help, "dim")])
        out += [[], [(" States", "header")]]
        for state, (glyph, word, style) in STATES.items():
            out.append([("   " + glyph + " ", style), (column(word, 7), style), (ABOUT[state], "dim")])
        out += [[], [(" Filter (/ on Runs)", "header")]]
        language = (query.__doc__ or "").splitlines()[2:]
        out += [[("   " + line.strip(), "dim")] for line in language if line.strip()]
        out += [
            [],
            [(" Closing the cockpit never stops a run. Everything here can be done with `engine` too.", "dim")],
            [(" On a slow line: cockpit --low-bandwidth, and ssh -C.", "dim")],
        ]
        return out[1:]
