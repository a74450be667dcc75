"""How the groups of a comparison are named on the screen."""

from engine.report import numbers
from engine.wire import Comparison


def group_name(comparison: Comparison, index: int) -> str:
    """The experiments of a group where the groups differ in them, else the settings in which it differs."""
    labels = [group.label for group in comparison.groups]
    if len(set(labels)) == len(labels):
        return labels[index]
    apart = [
        f"{row.name.rpartition('.')[2]}={numbers.setting(row.values[index])}"
        for row in comparison.settings
        if not row.same and not row.name.endswith("seed") and index < len(row.values)
    ]
    return " ".join(apart[:2]) or labels[index]
