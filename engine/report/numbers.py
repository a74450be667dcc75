"""Numbers, uncertainties, durations and sizes as short text. Standard library only."""

import math
import time

MISSING = "--"  # in a screen's narrow columns
NOTHING = "-"  # in a report's table
Z = 1.96  # standard errors on either side of a mean that hold 95 % of a normal distribution


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
    """A difference as ``figure``, with its sign."""
    if value is None:
        return MISSING
    return figure(value) if value < 0 or math.isnan(value) else "+" + figure(value)


def fixed(value: float | None, digits: int = 4) -> str:
    """A number with so many digits after the point: 0.1234; 1,234 without any."""
    return NOTHING if value is None else f"{value:.{digits}f}" if digits else f"{value:,.0f}"


def measured(value: float) -> str:
    """A metric or a cost: 0.1234, from 100 on 1,234.5."""
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}"


def mean_sd(mean: float | None, sd: float | None) -> str:
    """Mean and standard deviation: 0.1234 ±0.0012."""
    if mean is None:
        return NOTHING
    return measured(mean) + (f" ±{measured(sd)}" if sd is not None else "")


def with_margin(value: float, low: float, high: float) -> str:
    """A mean with the distance to the farther end of its interval: 0.1234 ±0.0024."""
    return f"{value:.4f} ±{max(value - low, high - value):.4f}"


def interval(low: float, high: float, between: str = " to ") -> str:
    """-0.0010 to +0.0042"""
    return f"{low:+.4f}{between}{high:+.4f}"


def probability(p: float) -> str:
    """Four digits; a smaller value is shown as a bound, never as zero."""
    return f"{p:.4f}" if p >= 0.00005 else "< 0.0001"


def count(value: float) -> str:
    return f"{value:,.0f}"


def brief(value: float) -> str:
    """A count in at most five cells: 950, 12.4k, 3.1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def rate(value: float) -> str:
    """A rate with at least two digits: 1,234, 62, 3.4, 0.42."""
    return f"{value:,.{0 if value >= 10 else 1 if value >= 1 else 2}f}"


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
    """The time of day of a unix time: 14:03:59."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def setting(value: object) -> str:
    """A setting's value as it is typed; a dash where there is none."""
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(setting, value))}]"
    return NOTHING if value is None else str(value).lower() if isinstance(value, bool) else str(value)
