"""Names, types, limits and meanings of all settings, one file per group. Values live in ``conf/`` and nowhere else."""

from collections.abc import Sequence
from dataclasses import field
from typing import Any


def setting(
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str] = (),
    words: Sequence[str] = (),
    unit: str = "",
) -> Any:
    """A field without a default: what it means and which values are allowed.

    ``low``/``high`` are inclusive limits, ``above``/``below`` exclusive ones; for a list they hold for every entry.
    ``words`` are allowed in place of a number.
    """
    limits = {"help": help, "low": low, "high": high, "above": above, "below": below}
    return field(metadata={**limits, "choices": tuple(choices), "words": tuple(words), "unit": unit})
