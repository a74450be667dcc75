"""Which runs an action is about."""

from typing import TYPE_CHECKING

from cockpit.keys import RUNS
from cockpit.models.rows import Row

if TYPE_CHECKING:
    from cockpit.context import Desk

NO_RUN = "there is no run here"


def chosen(desk: "Desk") -> list[Row]:
    """On the list the marked runs, or the one under the cursor; elsewhere the run that is shown."""
    if desk.screen.name == RUNS:
        return desk.list.chosen
    return [desk.row] if desk.row else []
