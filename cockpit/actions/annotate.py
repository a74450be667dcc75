"""Tags, notes, pins and the archive of runs, and their undo."""

from collections.abc import Callable, Sequence

from cockpit.actions.about import chosen, needs_runs
from cockpit.actions.control import confirm
from cockpit.context import Context
from cockpit.models.rows import Row
from engine.errors import UserError
from engine.runs.schema import Meta

why_not_pin = why_not_tags = why_not_note = why_not_archive = why_not_mark = needs_runs


def do_pin(context: Context) -> None:
    row = context.row
    if row is not None:
        change(context, [row], "pin", lambda meta: setattr(meta, "pinned", not meta.pinned))
        context.notify(f"{row.name} {'pinned' if row.pinned else 'unpinned'}")


def do_archive(context: Context) -> None:
    rows = chosen(context)
    hide = not all(row.archived for row in rows)

    def work() -> None:
        change(context, rows, "archive", lambda meta: setattr(meta, "archived", hide))
        context.notify(f"{len(rows)} {'archived' if hide else 'restored'}: u undoes, H shows archived runs")
        context.list.marks.clear()

    if len(rows) > 1:
        confirm(context, f"archive {len(rows)} runs", work)
    else:
        work()


def do_tags(context: Context) -> None:
    rows = chosen(context)
    before = " ".join(rows[0].tags)

    def take(text: str) -> None:
        change(context, rows, "tags", lambda meta: setattr(meta, "tags", text.split()))

    context.open_prompt(
        f"tags of {len(rows)} runs" if len(rows) > 1 else "tags", before, take, hint="separated by spaces"
    )


def do_note(context: Context) -> None:
    row = context.row
    if row is not None:
        context.open_prompt(
            "note", row.note, lambda text: change(context, [row], "note", lambda meta: setattr(meta, "note", text))
        )


def change(context: Context, rows: Sequence[Row], what: str, edit: Callable[[Meta], None]) -> None:
    """Change the annotations of runs, and keep the previous ones for undo."""
    before = {row.id: Meta.read(context.folders / row.id) for row in rows}
    try:
        for row in rows:
            meta = Meta.read(context.folders / row.id)
            edit(meta)
            _write(context, row.id, meta)
    except UserError as error:
        context.notify(str(error), "bad")
        return

    def back() -> None:
        for run, meta in before.items():
            _write(context, run, meta)

    context.undo.append((what, back))
    context.list.arrange(context.clock())


def _write(context: Context, run: str, meta: Meta) -> None:
    meta.write(context.folders / run)
    row = context.list.rows.get(run)
    if row is not None:
        row.tags, row.note, row.pinned, row.archived = list(meta.tags), meta.note, meta.pinned, meta.archived
    context.watch.scanner.again(run)


def why_not_undo(context: Context) -> str:
    return "" if context.undo else "there is nothing to undo"


def do_undo(context: Context) -> None:
    what, back = context.undo.pop()
    try:
        back()
    except UserError as error:
        context.notify(str(error), "bad")
        return
    context.list.arrange(context.clock())
    context.notify(f"undone: {what}")
