"""What is taken along: an id, a table, curves."""

from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.actions.about import NO_RUN, chosen
from cockpit.keys import LIVE

if TYPE_CHECKING:
    from cockpit.context import Context


def why_not_copy(context: "Context") -> str:
    return "" if chosen(context) else NO_RUN


why_not_export = why_not_copy


def do_copy(context: "Context") -> None:
    row = context.row
    if row is not None:
        context.effects.copy(row.id)
        context.say(f"copied {row.id}")


def do_export(context: "Context") -> None:
    from cockpit.services import export  # the start of the cockpit does not wait for what few ask for

    rows = chosen(context)
    curves = context.screen.name == LIVE
    name = f"{rows[0].id}-curves.csv" if curves else "runs.csv"

    def take(text: str) -> None:
        place = Path(text).expanduser()
        try:
            if curves:
                count = export.curves(place, {row.id: context.watch.follow(row.id).data for row in rows})
            else:
                count = export.table(place, rows, context.root)
        except OSError as error:
            context.say(f"{place}: {error.strerror}", "bad")
        else:
            context.say(f"{count} lines written to {place}")

    def check(text: str) -> str:
        return "is there already: another name" if text and Path(text).expanduser().exists() else ""

    context.type("write CSV to", name, take, check=check)
