"""Numbers, times and sizes as short text."""

import math
import time

MISSING = "--"


def figure(value: float | None, digits: int = 4) -> str:
    """A metric in about six cells: .0907, 12.3, 3.1e-7, NaN."""
    if value is None:
        return MISSING
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    if value == 0:
        return "0"
    if size < 10 ** -(digits - 1) or size >= 10 ** (digits + 2):
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    if size < 1:
        return f"{value:.{digits}f}".replace("0.", ".", 1)
    return f"{value:.{max(0, digits - 1 - int(math.log10(size)))}f}"


def signed(value: float | None) -> str:
    """A difference, with its sign."""
    if value is None:
        return MISSING
    return figure(value) if value < 0 or math.isnan(value) else "+" + figure(value)


def count(value: float) -> str:
    return f"{value:,.0f}"


def brief(value: float) -> str:
    """A count in at most five cells: 950, 12.4k, 3.1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def duration(seconds: float | None) -> str:
    """0:38 (minutes and seconds), 1:02:03 (hours), 3d04h."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return MISSING
    whole = int(seconds)
    if whole >= 86400:
        return f"{whole // 86400}d{whole % 86400 // 3600:02}h"
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
    return f"{whole // 60}:{whole % 60:02}"


def age(seconds: float) -> str:
    """How long ago, in one unit: 5s, 12m, 3h, 4d. A clock that is behind shows as 0s."""
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{letter}"
    return f"{max(0, int(seconds))}s"


def size(number: float) -> str:
    """Bytes in binary units: 512B, 3.4M, 61.2G."""
    for letter in ("B", "K", "M", "G", "T"):
        if abs(number) < 1024 or letter == "T":
            break
        number /= 1024
    return f"{number:.0f}B" if letter == "B" else f"{number:.3g}{letter}" if number < 100 else f"{number:.0f}{letter}"


def clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))
