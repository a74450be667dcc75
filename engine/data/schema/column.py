"""A column's first values as texts, and what they are: whole numbers, numbers, moments, texts.

Letters: S rows of the sample.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from engine.data.raw_ids import MISSING
from engine.data.readers.delimited import TIME, TYPES, is_dotted

EMPTY, WHOLE, NUMBER, DATE, TEXT, NESTED = "empty", "whole numbers", "numbers", "dates", "texts", "lists"
_NOTHING = frozenset(MISSING.to_pylist())
NEARLY, FEW = 0.98, 0.05  # shares of values
_POINT = re.compile(r"(?<=\d)\.0*$")
_DOTTED = re.compile(r"\d{1,2}\.(0?[1-9]|1[0-2])\.\d{4}")
MONTHS = 12
_WHOLE, _NUMBER = re.compile(r"-?\d+"), re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DATES = [type for type in TYPES[TIME] if pa.types.is_timestamp(type)]
_YEARS = (662_688_000, 2_208_988_800)  # 1991 and 2040 in seconds: recommenders have no older events
GRADES = 21  # different values that ratings have at most, where no name says that they are some
DATES = 20  # values that show whether a column has dates
_UNITS = (1, 10**3, 10**6, 10**9)  # of a second


@dataclass(frozen=True)
class SampleColumn:
    """``name`` as data.columns names it: of a file without a header a number. Two of one name are not ``usable``."""

    name: str
    values: tuple[str, ...]  # [S] '' where there is nothing
    nested: bool = False  # lists or other values that are no cell of a table
    usable: bool = True

    @cached_property
    def cells(self) -> list[str]:  # [S]
        """The values with one spelling for one id; '' where there is nothing."""
        stripped = [value.strip() for value in self.values]
        return ["" if value in _NOTHING else _POINT.sub("", value) for value in stripped]

    @cached_property
    def filled(self) -> list[str]:
        """Cells that are there."""
        return [cell for cell in self.cells if cell]

    @cached_property
    def kind(self) -> str:
        """What nearly all of the values that are there are: the readers name the line of one that is not."""
        if self.nested:
            return NESTED
        if not self.filled:
            return EMPTY
        for kind, pattern in ((WHOLE, _WHOLE), (NUMBER, _NUMBER)):
            if sum(pattern.fullmatch(value) is not None for value in self.filled) >= NEARLY * len(self.filled):
                return kind
        return DATE if _is_dates(self.filled) or self.is_dotted else TEXT

    @cached_property
    def may_be_dotted(self) -> bool:
        """Whether the values are dates like 05.04.2024, which name the day first or the month."""
        return all(is_dotted(value) for value in self.filled[:DATES]) and all(
            _DOTTED.fullmatch(value) for value in self.filled
        )

    @cached_property
    def is_dotted(self) -> bool:
        """Whether the values are dates like 31.05.2024, some of which can name only the day first."""
        return self.may_be_dotted and any(int(value.partition(".")[0]) > MONTHS for value in self.filled)

    @cached_property
    def _numbers(self) -> list[float]:
        return [float(value) for value in self.filled if _NUMBER.fullmatch(value)]

    @cached_property
    def distinct(self) -> int:
        return len(set(self.filled))

    @property
    def is_id(self) -> bool:
        """Whether the values can be ids."""
        return self.kind in (WHOLE, TEXT)

    @property
    def is_prose(self) -> bool:
        """Whether most values are texts of several words."""
        return self.kind == TEXT and 2 * sum(" " in value for value in self.filled) > len(self.filled)

    @property
    def is_grade(self) -> bool:
        """Whether the values may be ratings: few different small numbers."""
        few = self.distinct <= min(GRADES, max(2, len(self.filled) // 2))
        return self.kind in (WHOLE, NUMBER) and few and all(-10 <= value <= 100 for value in self._numbers)

    @cached_property
    def is_moment(self) -> bool:
        """Whether the values are dates, or numbers that can only be moments of these decades."""
        if self.kind not in (WHOLE, NUMBER):
            return self.kind == DATE
        low, high = min(self._numbers), max(self._numbers)
        return any(_YEARS[0] * unit <= low and high < _YEARS[1] * unit for unit in _UNITS)

    def determines(self, other: "SampleColumn") -> bool | None:
        """Whether equal values here go with equal values there; None where the sample does not show it."""
        both = [(here, there) for here, there in zip(self.cells, other.cells, strict=True) if here and there]
        pairs = set(both)
        keys = len({here for here, _ in pairs})
        if len(both) - keys < 2:
            return None
        return len(pairs) - keys <= FEW * keys

    def shown(self, count: int = 4, width: int = 44) -> str:
        """The first different values."""
        text = ", ".join(list(dict.fromkeys(self.filled))[:count]) or "nothing"
        return text if len(text) <= width else text[: width - 1] + "…"


def _is_dates(values: list[str]) -> bool:
    """Whether the first values are dates of one form that the readers read, who look at all of them."""
    return any(all(_is_date(value, type) for value in values[:DATES]) for type in _DATES)


def _is_date(value: str, type: pa.DataType) -> bool:
    try:
        pa.array([value]).cast(type)
    except pa.ArrowInvalid:
        return False
    return True
