"""The runs that are compared, in groups: marked ones, or all that are like the one under the cursor.

As in ``engine compare``, runs that differ only in their seed and in where they ran are one group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cockpit.models.rows import OTHER, Row
from engine.report.settings import ASIDE, differing
from engine.runs.lineage import lineage
from engine.stages import STAGES

SETTINGS, EXPERIMENT, SINGLE = "settings", "experiment", "run"
GROUPINGS = (SETTINGS, EXPERIMENT, SINGLE)
MOST_RUNS = 24  # the newest, where none are marked
MOST_GROUPS = 6
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ only in their seed, in order of seeds."""

    letter: str
    rows: tuple[Row, ...]

    @property
    def argument(self) -> str:
        """The group as an argument of ``engine compare``."""
        return f"{self.letter}={','.join(row.id for row in self.rows)}"


def chosen(marked: Sequence[Row], current: Row | None, shown: Sequence[Row]) -> list[Row]:
    """Two or more marked runs; else the finished ones comparable with the current one, the oldest first."""
    if len(marked) > 1:
        return list(marked[: len(LETTERS)])
    if current is None:
        return []
    peers = [row for row in shown if row.peers == current.peers and (row.state == "DONE" or row.id == current.id)]
    return sorted(peers, key=lambda row: (row.created, row.id))[-MOST_RUNS:]


def grouped(rows: Sequence[Row], by: str, everything: Mapping[str, Row]) -> list[RunGroup]:
    """Groups in the order of their first run. By SETTINGS, runs whose settings are not read yet are left out."""
    parts: dict[str, list[Row]] = {}
    if by == SETTINGS:
        settings = {row.id: own_settings(row, everything) for row in rows if row.config is not None}
        rows = [row for row in rows if row.id in settings]
        free = differing([settings[row.id] for row in rows])
        for row in rows:
            parts.setdefault(repr([settings[row.id].get(name) for name in free]), []).append(row)
    else:
        for row in rows:
            parts.setdefault(row.experiment if by == EXPERIMENT else row.id, []).append(row)
    most = list(parts.values())[: len(LETTERS)]
    return [
        RunGroup(LETTERS[index], tuple(sorted(part, key=lambda row: (row.seed is None, row.seed or 0, row.id))))
        for index, part in enumerate(most)
    ]


def own_settings(row: Row, everything: Mapping[str, Row]) -> dict[str, object]:
    """The settings that a run depends on: of its stage, of the stages of its inputs, and of no stage."""

    def known(run: str) -> Row | None:
        return row if run == row.id else everything.get(run)

    found, _ = lineage(row.id, lambda run: one.inputs.values() if (one := known(run)) else None)
    stages = {one.stage for run in found if (one := known(run))}
    return {
        name: value
        for name, value in (row.config or {}).items()
        if not name.startswith(ASIDE) and ((part := name.partition(".")[0]) in stages or part not in STAGES)
    }


def trained(row: Row, everything: Mapping[str, Row]) -> Row | None:
    """The training whose curve represents a run: itself, or its last input that is one."""
    if row.state == OTHER:
        return row
    makers = [everything[run] for stage in reversed(STAGES) if (run := row.inputs.get(stage, "")) in everything]
    return next((run for run in (row, *makers) if run.metric and not run.has_result), None)
