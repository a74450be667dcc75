"""What is taken along: an id, a table, curves."""

from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.actions.about import NO_RUN, chosen
from cockpit.keys import LIVE

if TYPE_CHECKING:
    from cockpit.context import Desk


def why_not_copy(desk: "Desk") -> str:
    return "" if chosen(desk) else NO_RUN


why_not_export = why_not_copy


def do_copy(desk: "Desk") -> None:
    row = desk.row
    if row is not None:
        desk.effects.copy(row.id)
        desk.say(f"copied {row.id}")


def do_export(desk: "Desk") -> None:
    from cockpit.services import export  # the start of the cockpit does not wait for what few ask for

    rows = chosen(desk)
    curves = desk.screen.name == LIVE
    name = f"{rows[0].id}-curves.csv" if curves else "runs.csv"

    def take(text: str) -> None:
        place = Path(text).expanduser()
        try:
            if curves:
                count = export.curves(place, {row.id: desk.watch.follow(row.id).data for row in rows})
            else:
                count = export.table(place, rows, desk.root)
        except OSError as error:
            desk.say(f"{place}: {error.strerror}", "bad")
        else:
            desk.say(f"{count} lines written to {place}")

    def check(text: str) -> str:
        return "is there already: another name" if text and Path(text).expanduser().exists() else ""

    desk.type("write CSV to", name, take, check=check)
