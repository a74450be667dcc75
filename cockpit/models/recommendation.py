"""What the screen shows of the models' lists for one history."""

from engine.wire import ModelList, Recommendations


def rank_in(column: ModelList, item: int) -> int | None:
    """The rank of an item in a list, from 1."""
    return next((one.rank for one in column.items if one.item == item), None)


def shown(answer: Recommendations) -> list[ModelList]:
    """Columns of models that a run trained; all where no run trained any."""
    return [column for column in answer.columns if column.run] or answer.columns


def common(answer: Recommendations) -> frozenset[int]:
    """Items that every list has, where there are several lists."""
    lists = [frozenset(one.item for one in column.items) for column in answer.columns if column.items]
    return frozenset.intersection(*lists) if len(lists) > 1 else frozenset()
