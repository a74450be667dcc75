"""Which runs an action is about."""

from typing import TYPE_CHECKING

from cockpit.keys import RUNS
from cockpit.models.rows import Row

if TYPE_CHECKING:
    from cockpit.context import Context

NO_RUN = "there is no run here"


def chosen(context: "Context") -> list[Row]:
    """On the list the marked runs, or the one under the cursor; elsewhere the run that is shown."""
    if context.screen.name == RUNS:
        return context.list.chosen
    return [context.row] if context.row else []
