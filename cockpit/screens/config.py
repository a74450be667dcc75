"""The whole configuration of a run, with a search; settings that differ from the best run of its kind are marked."""

from typing import Any

from cockpit.actions import navigate
from cockpit.context import Context, Screen
from cockpit.keys import CONFIG
from cockpit.models.form import shown
from cockpit.models.rows import Row
from cockpit.models.scroll import Cursor
from cockpit.render.lines import Line, Lines, block, selected
from cockpit.services.scan import read_config
from engine.report import numbers
from engine.report.tables import column


class ConfigScreen(Screen):
    """Every setting of ``run`` in a line, as it stands in its config.yaml."""

    name = CONFIG

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.run = ""
        self.find = ""
        self.differing = False  # show only settings that the best run has otherwise
        self.scroll = self.cursor = Cursor()

    def open(self, run: str) -> None:
        """Show the settings of a run."""
        if run != self.run:
            self.run, self.cursor.line, self.cursor.top = run, 0, 0

    @property
    def row(self) -> Row | None:
        return self.context.list.rows.get(self.run)

    def title(self) -> Line:
        row = self.row
        line: Line = [(f"  {row.stage} {row.name}" if row else f"  {self.run}", "bold")]
        line.append((f"  {len(self._keys()):,} of {len(self._settings(row)):,} settings", "dim"))
        if self.find:
            line.append((f"  / {self.find}", "key"))
        if self.differing:
            line.append(("  differing from the best run", "key"))
        return line

    def _settings(self, row: Row | None) -> dict[str, Any]:
        if row is None:
            return {}
        if row.config is None:
            row.config = read_config(self.context.folders / row.id)
        return row.config

    def _best(self) -> Row | None:
        """The best run of the same kind, unless it is this one."""
        best = self.context.list.best.get(self.row.peers) if self.row else None
        return best if best is not None and best.id != self.run else None

    def _keys(self) -> list[str]:
        """Names of the settings that are shown: those with every word of the search in their line."""
        own, wanted = self._settings(self.row), self.find.lower().split()
        keys = [key for key in own if all(word in f"{key} {numbers.setting(own[key])}".lower() for word in wanted)]
        best = self._settings(self._best())
        return [key for key in keys if _differs(key, own, best)] if self.differing else keys

    def draw(self, across: int, down: int) -> Lines:
        own, keys = self._settings(self.row), self._keys()
        best = self._settings(self._best())
        size = min(max((len(key) for key in own), default=0), across // 2)
        top = self.cursor.fit(len(keys), down)
        lines: Lines = []
        for index, key in enumerate(keys[top : top + down], top):
            value = numbers.setting(own[key])
            other = _differs(key, own, best)
            line: Line = [(" " + column(key, size) + "  ", ""), (value, "mark" if other else "")]
            if other:
                line.append((f"   best run: {numbers.setting(best.get(key))}", "dim"))
            lines.append(selected(line, across) if index == self.cursor.line else line)
        if not keys:
            text, style = "no setting here: esc shows all", "dim"
            if not own:
                text, style = ("this run's settings cannot be read", "bad") if self.row else ("no run is shown", "dim")
            lines = [[("  " + text, style)]]
        return block(lines, across, down)

    # -- keys ----------------------------------------------------------------------------------------------------

    def move(self, by: int) -> None:
        self.cursor.step(by, len(self._keys()))

    def do_back(self) -> None:
        """Show all settings again, then leave the screen."""
        if self.find or self.differing:
            self.find, self.differing = "", False
        else:
            navigate.do_back(self.context)

    def do_filter(self) -> None:
        before = self.find

        def take(text: str) -> None:
            self.find, self.cursor.line = text.strip(), 0

        hint = "words of a name or a value"
        self.context.open_prompt("search", before, take, live=take, cancel=lambda: take(before), hint=hint)

    def why_not_changed(self) -> str:
        return "" if self._best() else "there is no better run of its kind to compare with"

    def do_changed(self) -> None:
        self.differing, self.cursor.line = not self.differing, 0

    def why_not_copy(self) -> str:
        return "" if self._keys() else "there is no setting here"

    def do_copy(self) -> None:
        """Copy the setting as it is typed on a command line."""
        key = self._keys()[self.cursor.line]
        value = self._settings(self.row)[key]
        self.context.copy(f"{key}={shown(value)}")

    def click(self, x: int, y: int) -> None:
        self.cursor.line = self.cursor.top + y
        self.move(0)


def _differs(key: str, own: dict[str, Any], best: dict[str, Any]) -> bool:
    """Whether the best run, where there is one, has another value or lacks the setting."""
    return bool(best) and (key not in best or best[key] != own[key])
