"""A comparison as text."""

from itertools import pairwise
from typing import Any

from engine.compare.groups import resolve
from engine.compare.report import build
from engine.compare.table import letter, text
from engine.wire import Comparison


def compared(world: Any, *groups: str) -> Comparison:
    return build(resolve(groups, world.store))


def test_many_groups_stand_below_each_other_where_a_terminal_has_no_room(world: Any) -> None:
    for number in range(9):
        for seed in (1, 2):
            world.student("sweep", seed, f"student.dropout=0.1{number}", values=(0.1, 0.2 + seed / 100, 0.1))
    lines = text(compared(world, "sweep")).splitlines()
    table = [line for line in lines if line.startswith(("training", "val_", "setting", "student.dropout  "))]
    assert max(map(len, table)) <= 80
    assert sum(line.startswith("training") for line in table) > 1


def test_the_text_hides_equal_settings_unless_asked_and_nothing_of_it_is_obeyed(seeds: Any) -> None:
    ids = [entry.id for entry in seeds.store.scan() if entry.info.stage == "evaluate"]
    comparison = compared(seeds, f"\x1b[31mred={ids[0]}", ids[3])
    short, long = text(comparison), text(comparison, every=True)
    assert "\x1b" not in short
    assert "student.dropout" in short
    assert "data.window" not in short
    assert "data.window" in long
    assert not any(first == second == "" for first, second in pairwise(short.splitlines()))


def test_groups_after_the_alphabet_are_numbered() -> None:
    assert [letter(index) for index in (0, 25, 26, 99)] == ["A", "Z", "G27", "G100"]
