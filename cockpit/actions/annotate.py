"""What people say about runs: tags, notes, pins, archive; and how to take it back."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cockpit.actions.about import NO_RUN, chosen
from cockpit.actions.control import confirm
from cockpit.models.rows import Row
from engine.errors import UserError
from engine.runs.schema import Meta

if TYPE_CHECKING:
    from cockpit.context import Desk


def why_not_pin(desk: "Desk") -> str:
    return "" if chosen(desk) else NO_RUN


why_not_tags = why_not_note = why_not_archive = why_not_mark = why_not_pin


def do_pin(desk: "Desk") -> None:
    row = desk.row
    if row is not None:
        change(desk, [row], "pin", lambda meta: setattr(meta, "pinned", not meta.pinned))
        desk.say(f"{row.name} {'pinned' if row.pinned else 'no longer pinned'}")


def do_archive(desk: "Desk") -> None:
    rows = chosen(desk)
    hide = not all(row.archived for row in rows)

    def work() -> None:
        change(desk, rows, "archive", lambda meta: setattr(meta, "archived", hide))
        desk.say(f"{len(rows)} {'archived' if hide else 'back in the list'}: u undoes, H shows archived runs")
        desk.list.marks.clear()

    if len(rows) > 1:
        confirm(desk, f"archive {len(rows)} runs", work)
    else:
        work()


def do_tags(desk: "Desk") -> None:
    rows = chosen(desk)
    before = " ".join(rows[0].tags)

    def take(text: str) -> None:
        change(desk, rows, "tags", lambda meta: setattr(meta, "tags", text.split()))

    desk.type(f"tags of {len(rows)} runs" if len(rows) > 1 else "tags", before, take, hint="separated by blanks")


def do_note(desk: "Desk") -> None:
    row = desk.row
    if row is not None:
        desk.type("note", row.note, lambda text: change(desk, [row], "note", lambda meta: setattr(meta, "note", text)))


def change(desk: "Desk", rows: Sequence[Row], what: str, edit: Callable[[Meta], None]) -> None:
    """Change what people say about runs, and remember how to take it back."""
    before = {row.id: Meta.read(desk.root / row.id) for row in rows}
    try:
        for row in rows:
            meta = Meta.read(desk.root / row.id)
            edit(meta)
            _write(desk, row.id, meta)
    except UserError as error:
        desk.say(str(error), "bad")
        return

    def back() -> None:
        for run, meta in before.items():
            _write(desk, run, meta)

    desk.undo.append((what, back))
    desk.list.arrange(desk.clock())


def _write(desk: "Desk", run: str, meta: Meta) -> None:
    meta.write(desk.root / run)
    row = desk.list.rows.get(run)
    if row is not None:
        row.tags, row.note, row.pinned, row.archived = list(meta.tags), meta.note, meta.pinned, meta.archived
    desk.watch.scanner.again(run)


def why_not_undo(desk: "Desk") -> str:
    return "" if desk.undo else "there is nothing to undo"


def do_undo(desk: "Desk") -> None:
    what, back = desk.undo.pop()
    try:
        back()
    except UserError as error:
        desk.say(str(error), "bad")
        return
    desk.list.arrange(desk.clock())
    desk.say(f"undone: {what}")
