"""The kinds of events and their fields. Writer, reader and tests are derived from this table.

Every event is one line of JSON in ``events.jsonl`` (``machine`` and ``sys``: ``devices.jsonl``) with ``v`` (version),
``t`` (unix seconds), ``q`` (sequence), ``k`` (kind), the kind's own fields, and ``step`` and ``ep`` (epoch) where they
apply. Unknown kinds and fields are ignored. A number may be the string "nan", "inf" or "-inf".
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

VERSION = 1
LINE_LIMIT = 64 * 1024  # bytes of one event with its line end: one write, whole or not at all
TEXT_LIMIT = 4000  # characters of a text inside an event
MOST = 2**63  # whole numbers of an event are smaller: larger ones may not fit into a float

Event = dict[str, Any]

NUMBER = (int, float, str)
INTEGER = (int,)
TEXT = (str,)
LIST = (list,)
MAPPING = (dict,)
FLAG = (bool, int)


@dataclass(frozen=True)
class Kind:
    """One kind of event. ``rate``: lines a second that are kept on average, None when every one is."""

    name: str
    help: str
    needs: dict[str, tuple[type, ...]]
    may: dict[str, tuple[type, ...]]
    step: bool = False  # carries the step it belongs to
    rate: float | None = None


_TABLE = (
    Kind("start", "an attempt begins, or continues after a step", {"attempt": INTEGER}, {"resumed_from": INTEGER}),
    Kind(
        "schema",
        "names that later events use by position",
        {"names": MAPPING, "groups": LIST},
        {"gates": MAPPING, "course": MAPPING},
    ),
    Kind("s", "numbers of a training step", {"m": MAPPING}, {}, step=True, rate=20),
    Kind("val", "an evaluation", {"m": MAPPING, "split": TEXT}, {"best": FLAG}, step=True),
    Kind(
        "grad",
        "gradient norms: g and u (update/weight) in the order of the schema's groups; null = no gradient, 0 = zero",
        {"total": NUMBER, "g": LIST},
        {"clip": NUMBER, "clipped": FLAG, "u": LIST},
        step=True,
        rate=10,
    ),
    Kind(
        "gate",
        "gate weights of a layer: c = base85 of uint8 experts x bins, count = (q/255)^2 * mx of the expert",
        {"layer": TEXT, "c": TEXT, "n": NUMBER, "mx": LIST, "ent": NUMBER, "load": LIST},
        {},
        step=True,
        rate=10,
    ),
    Kind(
        "prog",
        "the progress of a phase",
        {"total": INTEGER, "phase": TEXT, "unit": TEXT},
        {"rate": NUMBER, "eta": NUMBER},
        step=True,
        rate=1,
    ),
    Kind("ckpt", "a checkpoint is whole on the disk", {"path": TEXT, "bytes": INTEGER}, {}),
    Kind("health", "a suspected problem", {"code": TEXT, "level": TEXT, "hint": TEXT}, {"groups": LIST}),
    Kind("log", "a line for people", {"level": TEXT, "msg": TEXT}, {}, rate=20),
    Kind("end", "the attempt ends: done, stopped or failed", {"status": TEXT}, {"reason": TEXT, "trace": TEXT}),
    Kind(
        "machine",
        "what later readings refer to: usable cores, bytes of the memory limit and of the disk, GPUs (or why there is "
        "none), seconds between two readings",
        {"every": NUMBER},
        {"cores": NUMBER, "limit": NUMBER, "disk": NUMBER, "gpus": LIST, "note": TEXT},
    ),
    Kind(
        "sys",
        "use by the run's n processes: cores in all and of the busiest process, resident bytes, bytes a second read "
        "and written; of the machine: busy share of all cores, bytes used of the limit, free disk; of each GPU i: busy "
        "share, bytes used and the run's own, watts, degrees Celsius",
        {"n": INTEGER},
        {
            **{name: NUMBER for name in ("cpu", "top", "mem", "rd", "wr", "busy", "used", "free")},
            "gpus": LIST,
        },
    ),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _TABLE}
COMMON: dict[str, tuple[type, ...]] = {"v": INTEGER, "t": (int, float), "q": INTEGER, "k": TEXT}
STEP: dict[str, tuple[type, ...]] = {"step": INTEGER}
EPOCH: dict[str, tuple[type, ...]] = {"ep": (int, float)}


def _fields(kind: Kind) -> tuple[frozenset[str], dict[str, tuple[type, ...]]]:
    """Names that an event of a kind has to carry, and the types of all that it may carry."""
    needed = COMMON | kind.needs | (STEP if kind.step else {})
    may = {name: (*types, type(None)) for name, types in (kind.may | EPOCH).items()}
    return frozenset(needed), needed | may


_FIELDS = {name: _fields(kind) for name, kind in KINDS.items()}


def fault(event: object) -> str | None:
    """Why ``event`` is not one, or None. A kind that is not known here is no fault: a later version may know it."""
    if not isinstance(event, dict) or not isinstance(event.get("k"), str):
        return "is not an event"
    known = _FIELDS.get(event["k"])
    if known is None:
        return None
    needed, types = known
    if not needed <= event.keys():
        return f"{event['k']} lacks {', '.join(sorted(needed - event.keys()))}"
    for name, value in event.items():
        if name in types and (not isinstance(value, types[name]) or (type(value) is int and abs(value) >= MOST)):
            return f"{event['k']} has no proper {name!r}"
    return None


def expert_name(layer: str, expert: int) -> str:
    """How a health event names an expert of a layer among its groups."""
    return f"{layer} e{expert}"


def number(value: object) -> float | None:
    """A number of an event as a float: "nan", "inf" and "-inf" become what they say, anything else None."""
    if type(value) is float:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < MOST else None
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}.get(value) if isinstance(value, str) else None


def pack_counts(counts: Sequence[Sequence[float]]) -> tuple[str, list[float]]:
    """Histograms [E experts, bins] as base85 text of round(255 * sqrt(count / mx)), and mx, the largest of each."""
    largest = [float(max(row, default=0)) for row in counts]
    scaled = bytes(
        round(255 * math.sqrt(count / most)) if most > 0 else 0
        for row, most in zip(counts, largest, strict=True)
        for count in row
    )
    return base64.b85encode(scaled).decode("ascii"), largest


def unpack_counts(text: str, largest: Sequence[float]) -> list[list[float]]:
    """Histograms [E, bins] of ``pack_counts``: (q / 255)^2 * mx, within a 128th of sqrt(mx * count) of what went in."""
    scaled = base64.b85decode(text)
    bins = len(scaled) // len(largest) if largest else 0
    return [[(q / 255) ** 2 * most for q in scaled[row * bins : (row + 1) * bins]] for row, most in enumerate(largest)]
