"""Items of a complete catalogue are items of the set, with or without events."""

import numpy as np
import pyarrow as pa
import pytest

from engine.data.interactions import Catalogue, coded

EVENTS = (
    (np.array([0, 0, 1], dtype=np.int32), pa.array(["u", "v"])),
    (np.array([1, 0, 1], dtype=np.int32), pa.array(["b", "a"])),
)


@pytest.mark.parametrize(("complete", "items"), [(True, ["b", "a", "c"]), (False, ["b", "a"])])
def test_only_a_complete_catalogue_adds_items_without_events(complete: bool, items: list[str]) -> None:
    catalogue = Catalogue(pa.array(["c", "a"]), pa.array(["C", "A"]), pa.array(["", ""]), complete)
    read = coded(*EVENTS, None, None, catalogue)
    assert read.items.to_pylist() == items and read.users.to_pylist() == ["u", "v"]
    assert len(read) == 3 and read.item.tolist() == [1, 0, 1]
