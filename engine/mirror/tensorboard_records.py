"""TensorBoard's event files without its package: records with checksums around protocol buffers.

A record is length (8 bytes), checksum of the length, data, checksum of the data. The checksum is CRC-32C, masked. Field
numbers are those of event.proto, summary.proto and the hparams plugin's plugin_data.proto.
"""

import math
import struct
from collections.abc import Mapping, Sequence

Setting = str | float | bool
VERSION = "brain.Event:2"
STARTED, SUCCESS, FAILURE = 1, 1, 2  # SessionLog.START; hparams.Status
HPARAMS = "hparams"  # name of the plugin


def record(data: bytes) -> bytes:
    """One record of the file."""
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def first_event(time: float) -> bytes:
    """The event that begins every file."""
    return _double(1, time) + _bytes(3, VERSION.encode())


def scalar(tag: str, step: int, value: float, time: float) -> bytes:
    """An event with one number."""
    return _event(step, time, _tagged(tag) + _float(2, value))


def histogram(tag: str, step: int, counts: Sequence[float], time: float) -> bytes:
    """An event with a histogram over equal parts of [0, 1]; its moments are those of the parts' centres."""
    limits = [(k + 1) / len(counts) for k in range(len(counts))]
    centres = [limit - 0.5 / len(counts) for limit in limits]
    total = sum(counts)
    moments = [sum(n * centre**power for n, centre in zip(counts, centres, strict=True)) for power in (1, 2)]
    used = [k for k, count in enumerate(counts) if count > 0] or [0]
    lowest, highest = limits[used[0]] - 1 / len(counts), limits[used[-1]]
    numbers = (lowest, highest, total, *moments)
    body = b"".join(_double(field, value) for field, value in enumerate(numbers, start=1))
    packed = _bytes(6, struct.pack(f"<{len(limits)}d", *limits)) + _bytes(7, struct.pack(f"<{len(counts)}d", *counts))
    return _event(step, time, _tagged(tag) + _bytes(5, body + packed))


def restart(step: int, time: float) -> bytes:
    """An event after which earlier values of this step and of later ones do not count."""
    return _double(1, time) + _whole(2, step) + _bytes(7, _whole(1, STARTED))


def session_start(settings: Mapping[str, Setting], group: str, time: float) -> bytes:
    """An event with a run's settings, for the HPARAMS tab. It shows the runs of a ``group`` as one line."""
    entries = b"".join(
        _bytes(1, _bytes(1, name.encode()) + _bytes(2, _value(value))) for name, value in settings.items()
    )
    body = entries + _bytes(4, group.encode()) + _double(5, time)
    return _hparams("_hparams_/session_start_info", _bytes(3, body), time)


def session_end(status: int, time: float) -> bytes:
    """An event that says how a run ended, for the HPARAMS tab."""
    return _hparams("_hparams_/session_end_info", _bytes(4, _whole(1, status) + _double(2, time)), time)


def _value(value: Setting) -> bytes:
    """google.protobuf.Value."""
    if isinstance(value, bool):
        return _whole(4, int(value))
    if isinstance(value, str):
        return _bytes(3, value.encode("utf-8", "replace"))
    return _double(2, value) if math.isfinite(value) else _bytes(3, str(value).encode())


def _hparams(tag: str, content: bytes, time: float) -> bytes:
    metadata = _bytes(1, _bytes(1, HPARAMS.encode()) + _bytes(2, content))
    nothing = _whole(1, 1) + _bytes(2, _bytes(2, b""))  # a tensor of no floats, which the plugin wants there
    return _event(0, time, _tagged(tag) + _bytes(8, nothing) + _bytes(9, metadata))


def _event(step: int, time: float, value: bytes) -> bytes:
    return _double(1, time) + _whole(2, step) + _bytes(5, _bytes(1, value))


def _tagged(tag: str) -> bytes:
    return _bytes(1, tag.encode("utf-8", "replace"))


# -- protocol buffers: key (field * 8 + wire type), then the value --


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _float(field: int, value: float) -> bytes:
    """float32; what is too large for it is infinite."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        packed = struct.pack("<f", math.copysign(math.inf, value))
    return _varint(field << 3 | 5) + packed


# -- CRC-32C --

_POLYNOMIAL = 0x82F63B78


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ _POLYNOMIAL if byte & 1 else byte >> 1
    return byte


_TABLE = [_entry(byte) for byte in range(256)]


def _checksum(data: bytes) -> bytes:
    """CRC-32C, rotated by 15 bits and shifted, as the format masks it."""
    found, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        found = table[(found ^ byte) & 0xFF] ^ found >> 8
    found ^= 0xFFFFFFFF
    return struct.pack("<I", ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF)
