"""The runs that a command names: ids, the start of an id, or ``last``."""

from collections.abc import Sequence

from engine.errors import UserError
from engine.jobs.store import Entry, Store


def runs_of(store: Store, ids: Sequence[str]) -> list[Entry]:
    """The named runs; UserError when none is named or one does not exist."""
    if not ids:
        raise UserError("no run is named", remedy="Give an id from `engine runs`, the start of one, or `last`.")
    return [store.find(run) for run in ids]


def run_of(store: Store, ids: Sequence[str], usage: str) -> Entry:
    """The only named run; UserError with the ``usage`` of the command otherwise."""
    if len(ids) != 1:
        raise UserError(f"one run is needed, {len(ids)} are named", remedy=f"Write: {usage}")
    return store.find(ids[0])
