"""Whether the quotes of a delimited file are sound. pyarrow and Python's csv read on over a stray one and lose rows.

A quote opens a field only at the field's start and closes it only before a separator, a line end or the file's end;
inside, two quotes are one; anywhere else it is text. Letters: B bytes of a block, R runs of quotes.

Whether a run of quotes leaves its field open is a function of whether one was open before: a run of even length keeps
it so, one of odd length at the start of a field turns it round, any other one of odd length leaves it closed. Parity
since the last of these is the state, so that a block is looked at as a whole.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.data.readers.opened import binary
from engine.data.sources import Source
from engine.errors import DataError

BLOCK = 1 << 20  # bytes; larger ones are slower
QUOTE, CR, LF = 0x22, 0x0D, 0x0A
REMEDY = 'Write a quote inside quotes twice (""), or set data.quoted=false to read quotes as text.'
_ONE_BYTE = re.compile(r"utf-8|ascii|iso8859|cp125")  # encodings whose quotes and line ends are ASCII's bytes


class Quotes:
    """The state of a file's quoting, block by block: ``breaks`` in quotes, and the ``fault`` that ends the reading."""

    def __init__(self, separator: str) -> None:
        self.breaks, self.first_break = 0, 0  # line breaks inside quotes; offset of the first
        self.fault: tuple[int, int | None] | None = None  # offsets of the opening and the closing quote
        self._boundary = np.zeros(256, dtype=bool)
        self._boundary[[CR, LF, *separator.encode()]] = True
        self._inside, self._opened, self._offset, self._at_boundary, self._held = False, 0, 0, True, b""

    def see(self, block: bytes, last: bool = False) -> None:
        """The file's next bytes. Quotes and returns at its end wait for what follows them."""
        block, self._held = self._held + block, b""
        if not last:
            whole = len(block.rstrip(b'"\r'))
            block, self._held = block[:whole], block[whole:]
        if self._offset == 0 and block.startswith(codecs.BOM_UTF8):
            self._offset, block = len(codecs.BOM_UTF8), block[len(codecs.BOM_UTF8) :]
        if block and self.fault is None:
            if self._inside or b'"' in block:
                self._look(np.frombuffer(block, dtype=np.uint8))
            self._at_boundary = bool(self._boundary[block[-1]])
        self._offset += len(block)
        if last and self._inside and self.fault is None:
            self.fault = (self._opened, None)

    def _look(self, block: NDArray[np.uint8]) -> None:  # [B]
        quotes = np.flatnonzero(block == QUOTE)
        first = np.flatnonzero(np.append(True, np.diff(quotes) > 1))[: len(quotes)]
        start, length = quotes[first], np.diff(np.append(first, len(quotes)))  # [R]
        end, odd = start + length, length % 2 == 1
        at_boundary = self._boundary[block]
        opens = np.where(start > 0, at_boundary[start - 1], self._at_boundary)
        closes = np.append(at_boundary, True)[end]
        turns = np.cumsum(odd & opens)
        since = np.maximum.accumulate(np.where(odd & ~opens, turns, -int(self._inside)))
        inside = np.append(self._inside, (turns - since) % 2 == 1)  # [R + 1] before each run, and after the last
        before, after = inside[:-1], inside[1:]
        opened = np.flatnonzero(~before & opens)
        wrong = np.flatnonzero(((before & odd) | (~before & opens & ~odd)) & ~closes)
        if len(wrong):
            earlier = opened[opened <= wrong[0]]
            at = self._offset + int(start[earlier[-1]]) if len(earlier) else self._opened
            self.fault = (at, self._offset + int(end[wrong[0]]) - 1)
            return
        line_end = (block == LF) | ((block == CR) & (np.append(block[1:], 0) != LF))
        breaks = np.flatnonzero(line_end)
        breaks = breaks[inside[np.searchsorted(start, breaks)]]
        if len(breaks) and not self.breaks:
            self.first_break = self._offset + int(breaks[0])
        self.breaks += len(breaks)
        self._inside = bool(after[-1]) if len(after) else self._inside
        if self._inside and len(opened):
            self._opened = self._offset + int(start[opened[-1]])


def quoted_breaks(source: Source, separator: str, encoding: str) -> tuple[int, int]:
    """How many line breaks stand inside quotes, and the line of the first one.

    Raises DataError with the line where a quote opens that is not closed, or is closed before other text.
    """
    quotes = Quotes(separator)
    for block in _blocks(source, encoding):
        quotes.see(block)
    quotes.see(b"", last=True)
    if quotes.fault is not None:
        opened, closed = quotes.fault
        line = _line(source, encoding, opened)
        if closed is None:
            cause = "a quote opens a field here and none closes it before the end of the file"
        else:
            closing = _line(source, encoding, closed)
            where = "" if closing == line else f" on line {closing}"
            cause = f"a quote opens a field here, and the quote that closes it{where} has text after it"
        raise DataError(cause, location=f"{source}:{line}", remedy=REMEDY)
    return quotes.breaks, _line(source, encoding, quotes.first_break) if quotes.breaks else 0


def _blocks(source: Source, encoding: str) -> Iterator[bytes]:
    """The file's bytes; in UTF-8 where the encoding's separators are not ASCII's. They do not count as progress."""
    decoder = None if _ONE_BYTE.match(encoding) else codecs.getincrementaldecoder(encoding)(errors="replace")
    with binary(replace(source, watch=None)) as file:
        while block := file.read(BLOCK):
            yield block if decoder is None else decoder.decode(block).encode("utf-8", errors="replace")


def _line(source: Source, encoding: str, offset: int) -> int:
    """The line of a byte: one more than the line ends before it."""
    count, carriage = 1, False
    for block in _blocks(source, encoding):
        part = block[:offset]
        count += part.count(b"\n") + part.count(b"\r") - part.count(b"\r\n") - (carriage and part.startswith(b"\n"))
        carriage, offset = part.endswith(b"\r"), offset - len(part)
        if not offset:
            break
    return count
