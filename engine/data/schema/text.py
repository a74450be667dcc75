"""What was found in a table, and what has to be asked, as text."""

import shlex
from collections.abc import Sequence

from engine.data.schema.names import ITEM, ROLES, TIME, TITLE, USER
from engine.data.schema.tables import EventTable, TitleTable
from engine.errors import DataError
from engine.report.tables import cells
from engine.report.tables import column as fitted
from engine.runs.text import clean

WIDTH = 40  # characters of a sample


def shown(path: str, found: EventTable, titles: TitleTable | None, words: Sequence[str]) -> str:
    """The columns that are used with the first values of each, the first row, and the settings that say the same."""
    rows = []
    for role in ROLES:
        column = found.sample.by_name.get(found.roles.chosen.get(role, ""))
        if column is not None:
            about = f"{column.shown(width=WIDTH)}{' (day.month.year)' if role == TIME and column.may_be_dotted else ''}"
            rows.append((role, column.name, about, f"data.columns.{role}={column.name}"))
    if titles is not None:
        column = titles.sample.by_name[titles.title]
        setting = f"data.catalogue={titles.name} data.columns.title={titles.title}"
        rows.append((TITLE, titles.title, column.shown(width=WIDTH), setting))
    written = _writing(found)
    lines = [f"{path} is read as a table" + (f": {written}" if written else "")]
    lines += _aligned([tuple(clean(cell, 120) for cell in row) for row in rows])
    if TIME not in found.roles.chosen:
        lines.append("  no time: the order of the file counts")
    lines += [
        f"  no {role}: {clean(why, 160)}" for role, why in found.roles.unused.items() if role not in found.roles.chosen
    ]
    first = (f"{name}={column.values[0]}" for name, column in found.sample.by_name.items())
    lines.append("  first row: " + clean("  ".join(first), 200))
    lines.append("  in words: " + clean(shlex.join([*words, f"data.path={path}"]), 1000))
    return "\n".join(lines)


def question(path: str, found: EventTable, titles: Sequence[TitleTable]) -> DataError:
    """Everything that a person has to say about a table, in one error."""
    roles = found.roles
    lines = ["which columns mean what is not sure"] if roles.open else []
    rows = [
        (column.name, column.kind, column.shown(width=WIDTH), _meant(column.name, found))
        for column in found.sample.columns
    ]
    lines += _aligned(
        [("column", "holds", "for example", ""), *(tuple(clean(cell, 80) for cell in row) for row in rows)]
    )
    lines += [f"  {role}: {clean(why, 200)}" for role, why in roles.open.items()]
    if found.sample.header is False:
        lines.append("  The first line looks like the others: there is no header, and columns have numbers.")
    if found.sample.header is None:
        lines.append("  If the first line is no header, number the columns: data.columns.user=1")
    asked = [f"data.columns.{role}=COLUMN" for role in roles.open]
    optional = [role for role in roles.open if role not in (USER, ITEM)]
    remedy = f"Add to the command: {' '.join(asked)}" if asked else ""
    if optional:
        remedy += f" ({' and '.join(optional)} may be null: there is none)"
    if len(titles) > 1:
        names = " or ".join(f"data.catalogue={one.name} data.columns.title={one.title}" for one in titles)
        lines.append("  several files beside have titles of these items")
        remedy += f"{'; and ' if remedy else 'Add to the command: '}{names}"
    return DataError("\n".join(lines), location=path, remedy=f"{remedy}.")


def _meant(column: str, found: EventTable) -> str:
    return next((f"the {role}" for role, name in found.roles.chosen.items() if name == column), "")


def _writing(found: EventTable) -> str:
    """How the file is written, where that had to be found."""
    sample = found.sample
    parts = [f"separator {sample.separator}"] if sample.separator else []
    parts += [f"encoding {sample.encoding}"] if sample.encoding else []
    parts += ["no header: columns have numbers"] if sample.header is False else []
    parts += [f"{len(sample.source.pieces):,} files"] if sample.source.pieces else []
    parts += [f"file {found.name}"] if found.name else []
    return ", ".join(parts)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(cells(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    return ["  " + "  ".join(map(fitted, row, widths)).rstrip() for row in rows]
