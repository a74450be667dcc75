"""Screen 3: groups of seeds side by side: curves drawn here, statistics from ``engine compare``."""

import time
from pathlib import Path

from cockpit.actions.export import prompt_file
from cockpit.context import Context
from cockpit.keys import COMPARE
from cockpit.models.comparison import group_name
from cockpit.models.groups import GROUPINGS, MOST_GROUPS, SETTINGS, RunGroup, chosen, grouped
from cockpit.models.rows import Row
from cockpit.panes import comparison as texts
from cockpit.panes.chart import render as chart
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines, beside, box
from cockpit.screens.compare_curves import Curves
from cockpit.screens.paned import PanedScreen
from cockpit.services.answers import EngineAnswer
from cockpit.services.scan import read_config
from engine.wire import Comparison

CURVE, METRICS, SETTING, MEMBERS, NOTES = "curves", "metrics", "settings", "runs", "verdict"
PANES = (METRICS, NOTES, SETTING, MEMBERS, CURVE)
SMALL, LARGE = 100, 160  # columns below which there is one slot, from which there are three columns
SLICE = 0.005  # seconds that reading settings may take before keys are handled again


class CompareScreen(PanedScreen):
    """Curves with the range of their seeds, metrics, settings, runs, verdict. Keys scroll the focused pane."""

    name = COMPARE
    names = PANES

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.curves = Curves(context)
        self.comparing = EngineAnswer(Comparison, context.root, context.ask, context.effects.spawn)
        self.groups: list[RunGroup] = []
        self.by = SETTINGS
        self.base = 0  # index of the group that is the baseline
        self.every = False  # also settings that are the same
        self._known: tuple[object, list[tuple[str, list[str]]]] = (None, [])
        self._seen: object = None

    @property
    def row(self) -> Row | None:
        return self.groups[0].rows[0] if self.groups else None

    def title(self) -> Line:
        comparison = self.comparing.known_for(self.words)
        line: Line = []
        for index, group in enumerate(self.groups if len(self.groups) > 1 else []):
            label = group_name(comparison, index) if comparison else group.rows[0].experiment
            seeds = f"{len(group.rows)} seeds" if len(group.rows) > 1 else group.rows[0].id[-4:]
            line.append((f"  {group.letter} {label} ({seeds})", texts.style(index)))
        return [*line, ("  comparing", "run")] if self.comparing.busy else line

    def watched(self) -> list[str]:
        return self.curves.watched(self.groups)

    @property
    def words(self) -> list[str]:
        """The command that compares the groups."""
        return ["compare", *(group.argument for group in self.groups)]

    def poll(self) -> bool:
        """Choose the runs, read their settings, and request their comparison; returns whether anything changed."""
        runs = self.context.list
        marked = [runs.rows[run] for run in runs.marks if run in runs.rows]
        rows = chosen(marked, runs.current, runs.shown)
        complete = self.by != SETTINGS or self._read(rows)
        found = self._grouped(rows)
        self.groups = _turned(found if len(marked) > 1 else found[:MOST_GROUPS], self.base)
        if len(self.groups) > 1 and complete:
            self.comparing.want(self.words, [(row.id, row.state) for group in self.groups for row in group.rows])
        seen = (
            self.words,
            self.comparing.version,
            [(row.state, row.step) for group in self.groups for row in group.rows],
        )
        changed, self._seen = seen != self._seen, seen
        return changed

    def _grouped(self, rows: list[Row]) -> list[RunGroup]:
        """The groups, computed again only when the runs or their known settings have changed."""
        key = (self.by, [(row.id, row.config is None) for row in rows])
        if key != self._known[0]:
            found = grouped(rows, self.by, self.context.list.rows)
            self._known = (key, [(group.letter, [row.id for row in group.rows]) for group in found])
        fresh = {row.id: row for row in rows}
        return [RunGroup(letter, tuple(fresh[run] for run in ids)) for letter, ids in self._known[1]]

    def _read(self, rows: list[Row]) -> bool:
        """Read settings for a few milliseconds; returns whether all are known."""
        start = time.perf_counter()
        for row in rows:
            if row.config is None:
                row.config = read_config(self.context.folders / row.id)
                if time.perf_counter() - start > SLICE:
                    break
        return all(row.config is not None for row in rows)

    # -- drawing -------------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        if len(self.groups) < 2:
            return box([("compare", "title")], self._welcome(), across, min(down, 12))
        self._boxes = []
        if self.zoomed:
            return self.pane(self.focus, 0, 0, across, down)
        wanted = len(self.body(METRICS, across - 2)) + 2
        if across < SMALL:
            top = max(8, down * 2 // 5)
            if self.focus not in (METRICS, CURVE):
                return [*self.pane(CURVE, 0, 0, across, top), *self.pane(self.focus, 0, top, across, down - top)]
            middle = min(max(wanted, 5), down - top - 4)
            return [
                *self.pane(CURVE, 0, 0, across, top),
                *self.pane(METRICS, 0, top, across, middle),
                *self.pane(NOTES, 0, top + middle, across, down - top - middle),
            ]
        side = across * 2 // 5 if across < LARGE else across // 3
        middle = min(max(wanted, 5), down // 2)
        top = max(8, (down - middle) * 3 // 5)
        middle = min(middle, down - top - 6)
        bottom = down - top - middle
        above = beside([self.pane(CURVE, 0, 0, across - side, top), self.pane(SETTING, across - side, 0, side, top)])
        below = beside(
            [
                self.pane(NOTES, 0, top + middle, across - side, bottom),
                self.pane(MEMBERS, across - side, top + middle, side, bottom),
            ]
        )
        return [*above, *self.pane(METRICS, 0, top, across, middle), *below]

    def _welcome(self) -> Lines:
        rows = chosen([], self.context.list.current, self.context.list.shown)
        if not self.context.list.rows:
            return [[("there are no runs yet: a launches one", "dim")]]
        if self.by == SETTINGS and any(row.config is None for row in rows):
            return [[("reading settings", "dim")]]
        return [
            [("Nothing to compare yet.", "bold")],
            [],
            [("1      ", "key"), ("open the list of runs", "")],
            [
                ("space  ", "key"),
                ("mark two or more runs; runs that differ only by seed are one group", ""),
            ],
            [("3      ", "key"), ("return to this screen", "")],
            [],
            [(f"grouped by {self.by}  (w changes it)", "dim")],
        ]

    def pane(self, name: str, x: int, y: int, across: int, down: int) -> Lines:
        if name != CURVE:
            return super().pane(name, x, y, across, down)
        self._boxes.append((name, x, y, across, down))
        return chart(self.curves.chart(self.groups), self.context.view, across, down, self.focus == CURVE)

    def about(self, name: str) -> Line:
        if name == SETTING:
            return [("  all" if self.every else "  that differ", "dim")]
        if name == METRICS:
            return [(f"  against {self.groups[0].letter}", "dim")]
        return [(f"  best {self.groups[0].rows[0].metric}", "dim")] if name == MEMBERS else []

    def body(self, name: str, across: int) -> Lines:
        if name == MEMBERS:
            return texts.runs(self.groups, self.groups[0].rows[0].metric, across)
        comparison = self.comparing.known_for(self.words)
        if comparison is None:
            if self.comparing.trouble and not self.comparing.busy:
                lines = self.comparing.trouble.splitlines()
                return [[("✗ ", "bad"), (text, "" if index else "bad")] for index, text in enumerate(lines)]
            return [[("comparing …", "dim")]]
        if name == METRICS:
            return texts.metrics(comparison, across)
        if name == SETTING:
            return texts.settings(comparison, self.every, across)
        return texts.notes(comparison, self.context.list.rows, across)

    # -- keys ----------------------------------------------------------------------------------------------------

    def why_not_zoom(self) -> str:
        return "" if len(self.groups) > 1 else "mark two or more runs on the list first (1, then space)"

    why_not_open = why_not_changed = why_not_export = why_not_copy = why_not_zoom
    why_not_bands = why_not_refresh = why_not_base = why_not_zoom

    def why_not_metric(self) -> str:
        return "" if self.curves.names(self.groups) else "these runs have reported no metric"

    def do_metric(self) -> None:
        items = [MenuItem(name, "", name) for name in self.curves.names(self.groups)]
        self.context.open_menu("metric of the curves", items, lambda name: setattr(self.curves, "metric", name))

    def do_bands(self) -> None:
        self.curves.ranges = not self.curves.ranges
        self.context.notify("range of the seeds shown" if self.curves.ranges else "only the means")

    def do_changed(self) -> None:
        self.every = not self.every

    def do_group(self) -> None:
        self.by = GROUPINGS[(GROUPINGS.index(self.by) + 1) % len(GROUPINGS)]
        self.base = 0
        self.context.notify(
            {"settings": "runs that differ by their seed alone are one group"}.get(self.by, f"grouped by {self.by}")
        )

    def do_base(self) -> None:
        """Make the next group the baseline, A."""
        self.base = (self.base + 1) % len(self.groups)

    def do_refresh(self) -> None:
        self.comparing.again()

    def do_copy(self) -> None:
        command = self.context.shown(self.words)
        self.context.copy(command, f"{command[:60]}…" if len(command) > 60 else "")

    def do_export(self) -> None:
        """Have ``engine compare --csv`` write the metrics: the same numbers, to the last digit."""
        words = self.words
        prompt_file(self.context, "compare.csv", lambda file: self.context.effects.spawn(self._write(words, file)))

    async def _write(self, words: list[str], file: Path) -> None:
        result = await self.context.ask([*words, "--csv", str(file)], self.context.root)
        message = result.message if result.status else f"metrics written to {file}"
        self.context.notify(message, "bad" if result.status else "")


def _turned(groups: list[RunGroup], base: int) -> list[RunGroup]:
    """The groups with another one first, with new letters."""
    if not groups:
        return groups
    first = base % len(groups)
    order = [groups[first], *groups[:first], *groups[first + 1 :]]
    return [RunGroup(letter.letter, group.rows) for letter, group in zip(groups, order, strict=True)]
