"""The Live screen as a grid: a small chart of every metric, or of a set that a person chose."""

from collections.abc import Sequence

from cockpit import settings
from cockpit.context import Context
from cockpit.render.lines import Line
from cockpit.screens.live_layout import Page
from engine.errors import ConfigError

PANES, ALL, CHOSEN = "", "all metrics", "chosen metrics"


class Grid:
    """``mode``: which metrics are shown; PANES: no grid. ``page`` is what was drawn last."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.mode = PANES
        self.page = Page([], 0, 1, 1)

    def names(self, known: Sequence[str]) -> list[str]:
        """The metrics of the grid among those that the run has, in its own order."""
        chosen = self.context.settings.charts
        return [name for name in known if self.mode == ALL or name in chosen]

    def next_mode(self, known: Sequence[str]) -> None:
        """All metrics, then the chosen ones where the run has any of them, then the panes."""
        has_chosen = any(name in self.context.settings.charts for name in known)
        following = {PANES: ALL, ALL: CHOSEN if has_chosen else PANES, CHOSEN: PANES}
        self.mode = following[self.mode]

    def first_of_page(self, names: Sequence[str], by: int) -> str:
        """The first chart of the page that is ``by`` pages further on."""
        number = min(max(self.page.number + by, 0), self.page.count - 1)
        return names[number * self.page.size]

    def title(self) -> Line:
        if not self.mode:
            return []
        page = f" page {self.page.number + 1}/{self.page.count}" if self.page.count > 1 else ""
        return [(f"  {self.mode}{page}", "key")]

    def keep(self, name: str) -> None:
        """Add a metric to the chosen set or take it out, and save the set."""
        chosen, file = self.context.settings.charts, self.context.settings_file
        taken = name in chosen
        if taken:
            chosen.remove(name)
        else:
            chosen.append(name)
        try:
            settings.save(file, "charts", chosen)
        except ConfigError as error:
            self.context.notify(str(error), "bad")
            return
        done = "taken out of" if taken else "added to"
        self.context.notify(f"{name} {done} the chosen charts, {len(chosen)} in {file}")
