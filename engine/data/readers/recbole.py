"""RecBole's atomic files: tab-separated with ``name:type`` headers; ``.inter`` has the events, ``.item`` the titles."""

import pyarrow as pa

from engine.config.settings.data import ColumnsSettings
from engine.data.interactions import Catalogue, Interactions, coded
from engine.data.layouts import CATALOGUE, INTERACTIONS
from engine.data.readers.delimited import GAPPY, ID, NUMBER, TIME, Dialect, codes, numbers, table, times
from engine.data.readers.opened import binary, broken_line, empty_file, lines, no_column
from engine.data.sources import Source, Sources
from engine.errors import DataError
from engine.runs.text import clean


def read(sources: Sources, columns: ColumnsSettings | None, encodings: tuple[str, ...], rated: bool) -> Interactions:
    """Columns are user_id, item_id and, where there are any, rating and timestamp, unless data.columns names others.

    ``rated``: no rating may be missing.
    """
    source = sources.parts[INTERACTIONS]
    header = _header(source)
    wanted = columns or ColumnsSettings("user_id", "item_id", None, "timestamp", "rating", None, None)
    kinds = {}
    for name, kind, needed in (
        (wanted.user, ID, True),
        (wanted.item, ID, True),
        (wanted.time, TIME, columns is not None),
        (wanted.rating, NUMBER if rated else GAPPY, columns is not None),
    ):
        if name in header:
            kinds[f"{name}:{header[name]}"] = kind
        elif needed and name is not None:
            raise no_column(name, header, f"{source}:1")
    read = table(source, Dialect("\t", (), False, encodings[0]), kinds)
    by_kind = {kind: read[name] for name, kind in kinds.items() if kind != ID}
    user, item = (read[name] for name, kind in kinds.items() if kind == ID)
    catalogue = None
    if CATALOGUE in sources.parts:
        catalogue = _catalogue(sources.parts[CATALOGUE], wanted, encodings)
    return coded(
        codes(user),
        codes(item),
        times(by_kind[TIME]) if TIME in by_kind else None,
        next((numbers(by_kind[kind]) for kind in (NUMBER, GAPPY) if kind in by_kind), None),
        catalogue,
    )


def _header(source: Source) -> dict[str, str]:
    """Column name -> type, in order."""
    with binary(source) as file:
        first = file.readline().decode("utf-8-sig", errors="replace").rstrip("\r\n")
    if not first:
        raise empty_file(source)
    header = dict(field.split(":", 1) for field in first.split("\t") if ":" in field)
    if len(header) != len(first.split("\t")):
        raise DataError(
            f"the first line '{clean(first, 60)}' does not name columns like user_id:token",
            location=f"{source}:1",
            remedy="RecBole's files begin with such a line; for a plain table set data.format=table and data.columns.",
        )
    return header


def _catalogue(source: Source, wanted: ColumnsSettings, encodings: tuple[str, ...]) -> Catalogue:
    """The title is data.columns.title or the first column named so; all other columns together are the text."""
    header = list(_header(source))
    rows = []
    for number, line in enumerate(lines(source, encodings)[1:], start=2):
        fields = line.split("\t")
        if not line:
            continue
        if len(fields) != len(header):
            raise broken_line(source, number, f"the line has {len(fields)} columns instead of {len(header)}")
        rows.append(fields)
    title = wanted.title or next((name for name in header if "title" in name or "name" in name), None)
    for name in (wanted.item, title, wanted.text):
        if name is not None and name not in header:
            raise no_column(name, header, f"{source}:1")
    others = [wanted.text] if wanted.text else [name for name in header if name not in (wanted.item, title)]
    column = {name: number for number, name in enumerate(header)}
    return Catalogue(
        raw=pa.array([row[column[wanted.item]] for row in rows], pa.string()),
        title=pa.array([row[column[title]] if title else "" for row in rows], pa.string()),
        text=pa.array([", ".join(filter(None, (row[column[name]] for name in others))) for row in rows], pa.string()),
        complete=False,
    )
