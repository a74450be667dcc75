"""Which runs an action applies to."""

from cockpit.context import Context
from cockpit.keys import RUNS
from cockpit.models.rows import Row

NO_RUN = "there is no run here"


def chosen(context: Context) -> list[Row]:
    """On the list the marked runs, or else the one under the cursor; elsewhere the run that is shown."""
    if context.screen.name == RUNS:
        return context.list.chosen
    return [context.row] if context.row else []


def needs_runs(context: Context) -> str:
    """Why an action on the chosen runs is impossible."""
    return "" if chosen(context) else NO_RUN


def needs_run(context: Context) -> str:
    """Why an action on the one run of the screen is impossible."""
    return "" if context.row else NO_RUN
