"""Every key, from the one table, and the filter language."""

from cockpit.context import Screen
from cockpit.keys import HELP, SCREENS, SHOWN, caption
from cockpit.models import query
from cockpit.panes.run_table import STATES
from cockpit.render.lines import Line, Lines, block
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
}


class HelpScreen(Screen):
    """One long page."""

    name = HELP

    def title(self) -> Line:
        return [("  j k scroll, q back", "dim")]

    def draw(self, across: int, down: int) -> Lines:
        lines = self.lines()
        return block(lines[self.scroll.fit(len(lines), down) :], across, down)

    def lines(self) -> Lines:
        """The whole page."""
        out: Lines = []
        for screen in SCREENS:
            if screen == HELP:
                continue
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
