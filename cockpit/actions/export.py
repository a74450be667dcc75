"""Copying an id, exporting tables and curves."""

from collections.abc import Callable
from pathlib import Path

from cockpit.actions.about import chosen, needs_run, needs_runs
from cockpit.context import Context
from cockpit.keys import LIVE

why_not_copy = needs_run
why_not_export = needs_runs


def do_copy(context: Context) -> None:
    if context.row is not None:
        context.copy(context.row.id)


def do_export(context: Context) -> None:
    """Write the runs as a table; on the Live screen, the curves of its run."""
    from cockpit.services import export  # loaded only when used: it would slow down the start

    rows = chosen(context)
    curves = context.screen.name == LIVE

    def write(file: Path) -> None:
        try:
            if curves:
                count = export.curves(file, {row.id: context.watch.follow(row.id).data for row in rows})
            else:
                count = export.table(file, rows, context.folders)
        except OSError as error:
            context.notify(f"{file}: {error.strerror}", "bad")
        else:
            context.notify(f"{count} lines written to {file}")

    prompt_file(context, f"{rows[0].id}-curves.csv" if curves else "runs.csv", write)


def prompt_file(context: Context, name: str, write: Callable[[Path], None]) -> None:
    """Request the name of a new CSV file."""

    def check(text: str) -> str:
        return "exists already: choose another name" if text and Path(text).expanduser().exists() else ""

    context.open_prompt("write CSV to", name, lambda text: write(Path(text).expanduser()), check=check)
