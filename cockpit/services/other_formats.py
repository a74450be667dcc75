"""Logs of other programs as the events of a run: TensorBoard's event files and Lightning's CSV. Read, never written.

A record of an event file is length (8 bytes), checksum, data, checksum; the data are protocol buffers (event.proto and
summary.proto). What is no number of a step is skipped.
"""

import csv
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.runs.events import VERSION, Event, number
from engine.runs.reader import Growing
from engine.runs.text import clean

EVENTS, CSV, SETTINGS = "events.out.tfevents.*", "metrics.csv", "hparams.yaml"
LARGEST = 1 << 24  # bytes of a record; longer ones are no numbers
CSV_LIMIT = 64 << 20  # bytes of a CSV log that are read
STARTED = 1  # SessionLog.START: what stands behind this step is replaced
WIDTHS = {1: 8, 5: 4}  # bytes of the wire types with a fixed width
PACKED = {1: "f", 2: "d"}  # TensorProto's dtypes of numbers


class EventFile:
    """The numbers of one event file as it grows."""

    def __init__(self, path: Path, piece: int) -> None:
        self._growing, self._carry = Growing(path, piece), b""
        self.broken = False  # what follows is no record

    @property
    def behind(self) -> bool:
        """Whether the last read did not reach the end."""
        return self._growing.behind and not self.broken

    def read(self) -> list[Event]:
        """The events since the last call; an unfinished record waits."""
        if self.broken:
            return []
        data, at, found = self._carry + self._growing.read(), 0, []
        while len(data) - at >= 12:
            (size,) = struct.unpack_from("<Q", data, at)
            if size > LARGEST:
                self.broken = True
                break
            if len(data) - at < 16 + size:
                break
            try:
                found += _events(data[at + 12 : at + 12 + size])
            except (ValueError, IndexError, struct.error, UnicodeDecodeError):
                self.broken = True
                break
            at += 16 + size
        self._carry = data[at:]
        return found


def csv_events(path: Path, time: float) -> list[Event]:
    """The rows of a CSV log with a column ``step``. It notes no times: all are ``time``."""
    with path.open("rb") as file:
        text = file.read(CSV_LIMIT).decode("utf-8", "replace")
    found = []
    for row in csv.DictReader(io.StringIO(text.replace("\0", ""), newline="")):
        step, values = number(_float(row.get("step"))), {}
        for name, cell in row.items():
            value = _float(cell)
            if name and name not in ("step", "epoch") and value is not None:
                values[clean(name, 80)] = value
        if step is not None and values:
            found.append(_event(step, time, values, number(_float(row.get("epoch")))))
    return found


def _float(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _event(step: float, time: float, values: dict[str, float], epoch: float | None = None) -> Event:
    event: Event = {"v": VERSION, "t": time, "q": 0, "k": "s", "step": int(step), "m": values}
    return event if epoch is None else event | {"ep": epoch}


def _events(data: bytes) -> list[Event]:
    """The numbers of one record; a restart is the start of an attempt that goes on before this step."""
    time, step, values, restart = 0.0, 0, dict[str, float](), False
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            (time,) = struct.unpack("<d", value)
        elif field == 2 and isinstance(value, int):
            step = value - (1 << 64) if value >= 1 << 63 else value
        elif field == 5 and isinstance(value, bytes):
            values |= dict(pair for one, part in _fields(value) if one == 1 for pair in _numbers(part))
        elif field == 7 and isinstance(value, bytes):
            restart = (1, STARTED) in list(_fields(value))
    if restart:
        return [{"v": VERSION, "t": time, "q": 0, "k": "start", "attempt": 1, "resumed_from": step - 1}]
    return [_event(step, time, values)] if values else []


def _numbers(part: int | bytes) -> Iterator[tuple[str, float]]:
    """Tag and number of a Summary.Value, as ``simple_value`` or as a tensor of one number."""
    fields = dict(_fields(part)) if isinstance(part, bytes) else {}
    tag, simple, tensor = fields.get(1), fields.get(2), fields.get(8)
    value = None
    if isinstance(simple, bytes) and len(simple) == 4:
        (value,) = struct.unpack("<f", simple)
    elif isinstance(tensor, bytes):
        value = _scalar(dict(_fields(tensor)))
    if isinstance(tag, bytes) and value is not None:
        yield clean(tag.decode("utf-8", "replace"), 80), value


def _scalar(tensor: dict[int, int | bytes]) -> float | None:
    """The only number of a TensorProto; None where it holds another number of them."""
    kind = tensor.get(1)
    code = PACKED.get(kind) if isinstance(kind, int) else None
    content = tensor.get(4) or tensor.get(4 + (kind if isinstance(kind, int) else 0))  # float_val 5, double_val 6
    if code is None or not isinstance(content, bytes) or len(content) != struct.calcsize(code):
        return None
    return float(struct.unpack(f"<{code}", content)[0])


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of every field of a message. ValueError or IndexError where it is none."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire, value = key & 7, b""
        if wire == 0:
            whole, at = _varint(data, at)
            yield key >> 3, whole
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in WIDTHS:
            size = WIDTHS[wire]
        else:
            raise ValueError(f"wire type {wire}")
        value, at = data[at : at + size], at + size
        if at > len(data):
            raise ValueError("a field is longer than its message")
        yield key >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has more than 64 bits")
