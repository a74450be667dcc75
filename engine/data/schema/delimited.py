"""How a delimited file is written: encoding, separator, header. All from its first block.

Letters: S rows of the sample.
"""

import codecs
import csv
import io
from collections.abc import Sequence
from contextlib import suppress

from engine.config.settings.data import SEPARATORS
from engine.data.readers.opened import binary
from engine.data.schema.column import EMPTY, TEXT, SampleColumn
from engine.data.schema.names import known
from engine.data.sources import Source
from engine.errors import DataError
from engine.runs.text import clean

BLOCK = 1 << 20  # bytes
LINES = 500  # that a separator is found by
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_CANDIDATES = ("\t", ",", ";", "|", " ")
_OTHERS = ("cp1252", "cp1250", "cp1251", "shift_jis")  # that a person is shown


def usual(name: str) -> str:
    """The separator that the name of a file promises."""
    return "\t" if name.endswith((".tsv", ".tab")) else ","


def beginning(source: Source, encoding: str | None) -> tuple[str, str, bool]:
    """The first whole lines, the encoding where it is not UTF-8, and whether they are all lines.

    Raises DataError where the bytes are no UTF-8 and do not say what they are.
    """
    with binary(source) as file:
        block = file.read(BLOCK)
        whole = len(block) < BLOCK
    found = encoding or next((name for mark, name in _MARKS.items() if block.startswith(mark)), "")
    decoder = codecs.getincrementaldecoder(found or "utf-8")()
    try:
        text = decoder.decode(block, final=whole)
    except UnicodeDecodeError as error:
        raise _undecided(source, block, error.start, found) from error
    text = text.removeprefix("\ufeff")
    cut = text if whole else text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    return cut, found, whole


def separator(text: str, promised: str, quoted: bool) -> str:
    """The mark that cuts the first lines into most columns, of which all lines have equally many.

    Known names decide before the number of columns. Of equals a tab, a space last; the promised one where none cuts.
    """
    lines = "".join(text.splitlines(keepends=True)[:LINES])
    scores = {}
    for mark in (promised, *(mark for mark in _CANDIDATES if mark != promised)):
        found = rows(lines, mark, quoted)
        width = len(found[0]) if found else 0
        equal = sum(len(row) == width for row in found)
        if width > 1 and equal >= 0.98 * len(found):
            names = sum(known(name) is not None for name in found[0])
            scores[mark] = (mark != " ", names, width, mark == "\t", mark == promised)
    return max(scores, key=lambda mark: scores[mark]) if scores else promised


def rows(text: str, mark: str, quoted: bool) -> list[list[str]]:
    """Fields of every record that is not empty; a record that the text's end cuts off counts like the others."""
    lines = io.StringIO(text, newline="")
    plain = csv.reader(lines, delimiter=mark) if quoted else csv.reader(lines, delimiter=mark, quoting=csv.QUOTE_NONE)
    found = []
    with suppress(csv.Error):  # what stands before it is enough; the reader names the line of the fault
        for row in plain:
            if row:
                found.append(row)
    return found


def has_header(found: Sequence[Sequence[str]]) -> bool | None:  # [S]
    """Whether the first row names the columns: by known names, or because the others are of other kinds.

    False where all rows look alike; None where nothing shows it.
    """
    first, rest = found[0], [row for row in found[1:] if len(row) == len(found[0])]
    below = [SampleColumn("", tuple(row[index] for row in rest)) for index in range(len(first))]
    if any(known(name) is not None and name not in column.values for name, column in zip(first, below, strict=True)):
        return True
    own = [SampleColumn("", (name,)).kind for name in first]
    if any(kind not in (TEXT, EMPTY) for kind in own):
        return False
    if any(column.kind not in (TEXT, EMPTY) for column in below):
        return True
    return False if any(name in column.values for name, column in zip(first, below, strict=True)) else None


def spelt(mark: str) -> str:
    """A separator as a person writes it."""
    return next((word for word, other in SEPARATORS.items() if other == mark), mark)


def _undecided(source: Source, block: bytes, start: int, encoding: str) -> DataError:
    number = block.count(b"\n", 0, start) + 1
    begin, end = block.rfind(b"\n", 0, start) + 1, block.find(b"\n", start)
    line = block[begin : end if end >= 0 else len(block)]
    readings = [f"  data.encoding={name:<10} {clean(line.decode(name, 'replace'), 60)}" for name in _OTHERS]
    cause = f"the file is not {encoding or 'UTF-8'}, and its bytes do not say what else. Line {number} would be"
    return DataError(
        "\n".join([cause, *readings]),
        location=f"{source}:{number}",
        remedy="Set data.encoding to the one that reads right.",
    )
