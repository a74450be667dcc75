"""The list of runs: filtered, sorted and grouped; cursor and marks stay on their runs."""

from dataclasses import dataclass
from difflib import get_close_matches

from cockpit.models.query import SORTS, TEXT_SORTS, Query, QueryError, parse, value_of
from cockpit.models.rows import Peers, Row, best_rows
from cockpit.models.varying import Varying

GROUPINGS = ("", "experiment", "stage", "folder")


@dataclass(frozen=True)
class GroupHeading:
    """The line above a group."""

    title: str
    rows: tuple[Row, ...]


Entry = Row | GroupHeading


class RunList:
    """Which runs are shown, in which order, and which one the cursor is on."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.entries: list[Entry] = []
        self.marks: list[str] = []  # ids in the order of marking
        self.text = ""
        self.error: QueryError | None = None
        self.unknown: QueryError | None = None  # a metric of the filter that no run has reported
        self.grouping = ""
        self.archived = False
        self.folders = False  # runs of several folders are shown
        self.cursor = 0
        self.varying = Varying()
        self.working = True  # some run is at work or waits
        self.best: dict[Peers, Row] = {}  # the best run
        self.placed = False  # the cursor was put on a run; until then it stays on the first line
        self._query: Query = parse("")
        self._sorted_by = ""  # at the last arrangement
        self.awaited = ""  # a run that the cursor goes to as soon as it is listed, unless it is moved before

    @property
    def current(self) -> Row | None:
        """The run under the cursor; None on the heading of a group."""
        entry = self.entries[self.cursor] if self.entries else None
        return entry if isinstance(entry, Row) else None

    @property
    def needs_config(self) -> bool:
        """Whether the filter needs settings, which are read only then."""
        return self._query.needs_config

    @property
    def shown(self) -> list[Row]:
        return [entry for entry in self.entries if isinstance(entry, Row)]

    def filter(self, text: str) -> None:
        """Set the filter; one that does not parse leaves the list unchanged and sets ``error``."""
        self.text = text
        try:
            self._query = parse(text)
        except QueryError as error:
            self.error = error
        else:
            self.error = None

    def _unknown_metric(self) -> QueryError | None:
        """The first metric of the filter that no run has reported."""
        for name, position in self._query.metrics:
            if self.rows and not any(name in row.best or name in row.last for row in self.rows.values()):
                known = {metric for row in self.rows.values() for metric in (*row.best, *row.last)}
                near = get_close_matches(name, [*known, *SORTS], 1)
                return QueryError(f"no run reports {name}" + (f": did you mean {near[0]}?" if near else ""), position)
        return None

    def arrange(self, now: float) -> None:
        """Filter, sort and group; the cursor stays on its run while that is shown."""
        here = self.current
        chosen = [row for row in self.rows.values() if self._visible(row, now)]
        chosen.sort(key=lambda row: (row.created, row.id), reverse=True)
        self._sort(chosen)
        chosen.sort(key=lambda row: not row.pinned)
        group = self._query.group or self.grouping
        self.entries = list(_grouped(chosen, group)) if group else list(chosen)
        self.best = best_rows(self.rows.values())
        self.varying.update(self.rows)
        self.working = any(row.open for row in self.rows.values())
        for row in self.rows.values():
            if row.state == "WAITING":
                row.waits = self._waits(row)
        self.marks = [run for run in self.marks if run in self.rows]
        self.unknown = self._unknown_metric()
        if self._query.sort != self._sorted_by or not self.placed:
            self._sorted_by, self.cursor, here = self._query.sort, 0, None  # the first lines of a new order
        if not self.awaited or not self.go_to(self.awaited):
            self._keep_cursor(here)

    def _waits(self, row: Row) -> str:
        """The unfinished inputs of a waiting run, or why it waits."""
        makers = ((stage, self.rows.get(run)) for stage, run in row.inputs.items())
        left = [f"{stage} {maker.name[-4:]}" for stage, maker in makers if maker and maker.state != "DONE"]
        return f"for {', '.join(left)}" if left else row.reason

    def _visible(self, row: Row, now: float) -> bool:
        return (self.archived or not row.archived) and self._query.test(row, now)

    def _sort(self, rows: list[Row]) -> None:
        key = self._query.sort.lstrip("-")
        if not key:
            return
        down = self._query.sort.startswith("-")
        if key in TEXT_SORTS:
            rows.sort(key=lambda row: str(getattr(row, key)), reverse=down)
            return
        values = {row.id: _sort_value(row, key) for row in rows}
        known = sorted((row for row in rows if values[row.id] is not None), key=lambda row: values[row.id] or 0.0)
        if down:
            known.reverse()
        rows[:] = known + [row for row in rows if values[row.id] is None]

    def _keep_cursor(self, here: Row | None) -> None:
        if here is not None:
            for index, entry in enumerate(self.entries):
                if isinstance(entry, Row) and entry.id == here.id:
                    self.cursor = index
                    return
        self.cursor = min(max(self.cursor, 0), max(len(self.entries) - 1, 0))
        if self.current is None and self.cursor + 1 < len(self.entries):
            self.cursor += 1

    def move(self, by: int) -> None:
        self.placed, self.awaited = True, ""
        self.cursor = min(max(self.cursor + by, 0), max(len(self.entries) - 1, 0))

    def go_to(self, run: str) -> bool:
        """Put the cursor on a run; returns whether it is shown."""
        for index, entry in enumerate(self.entries):
            if isinstance(entry, Row) and entry.id == run:
                self.cursor, self.placed, self.awaited = index, True, ""
                return True
        return False

    def mark(self, run: str) -> None:
        """Mark a run, or remove its mark."""
        if run in self.marks:
            self.marks.remove(run)
        else:
            self.marks.append(run)

    def mark_range(self) -> int:
        """Mark every run from the last mark to the cursor; returns the number of new marks."""
        start = next((i for i, e in enumerate(self.entries) if isinstance(e, Row) and e.id in self.marks[-1:]), None)
        if start is None:
            return 0
        first, last = sorted((start, self.cursor))
        found = [e.id for e in self.entries[first : last + 1] if isinstance(e, Row) and e.id not in self.marks]
        self.marks += found
        return len(found)

    @property
    def chosen(self) -> list[Row]:
        """The marked runs, or the one under the cursor when none is marked."""
        if self.marks:
            return [self.rows[run] for run in self.marks]
        return [self.current] if self.current else []


def _sort_value(row: Row, key: str) -> float | None:
    match key:
        case "age":
            return -row.created
        case "seed":
            return row.seed
        case "progress":
            return row.share
        case "eta":
            return row.eta if row.open else None
    value = value_of(row, key)
    return None if value is None or value != value else value


def _grouped(rows: list[Row], group: str) -> list[Entry]:
    """Rows under the headings of their groups, which come in the order of their first row."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_group_of(row, group), []).append(row)
    out: list[Entry] = []
    for title, members in groups.items():
        out += [GroupHeading(title, tuple(members)), *members]
    return out


def _group_of(row: Row, group: str) -> str:
    if group == "cfg-seed":
        if row.config is None:
            return "settings not read yet"
        own = [
            f"{key.removeprefix(row.stage + '.')}={value}"
            for key, value in row.config.items()
            if key.startswith(row.stage + ".") and not key.endswith("seed")
        ]
        return f"{row.stage} " + " ".join(own)
    return str(getattr(row, group)) or f"no {group}"
