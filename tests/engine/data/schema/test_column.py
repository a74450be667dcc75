"""What the values of a column are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.schema.column import DATE, EMPTY, NUMBER, TEXT, WHOLE, SampleColumn


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.0", "", "nan"], WHOLE),
        (["1", "2.5", "1e-3"], NUMBER),
        (["2024-05-31", "2024-05-31 12:00:00"], DATE),
        (["2024-05-31T12:00:00Z", "2024-05-31T12:00:00+02:00"], DATE),
        (["31.05.2024", "1.6.2024"], DATE),
        (["05.04.2024"], TEXT),  # the day or the month first
        (["31.05.2024", "05.31.2024"], TEXT),
        (["4,5"], TEXT),
        (["u1", "2"], TEXT),
        (["", "NULL", " "], EMPTY),
        (["7"] * 99 + ["seven"], WHOLE),  # the reader names the line
        (["7"] * 9 + ["seven"], TEXT),
    ],
)
def test_a_column_has_the_kind_of_nearly_all_of_its_values(values: list[str], kind: str) -> None:
    assert SampleColumn("x", tuple(values)).kind == kind


@pytest.mark.parametrize(
    ("values", "moment"),
    [
        (["1600000000"], True),
        (["1600000000000"], True),
        (["1600000000.5"], True),
        (["4", "5"], False),
        (["1600000000", "5"], False),
        (["2024-05-31"], True),
        (["85711"], False),
    ],
)
def test_numbers_are_moments_where_they_can_be_nothing_else(values: list[str], moment: bool) -> None:
    assert SampleColumn("x", tuple(values)).is_moment is moment


@given(st.lists(st.integers(0, 5), min_size=3, max_size=30))
def test_an_id_determines_its_title_and_chance_does_not(ids: list[int]) -> None:
    item = SampleColumn("item", tuple(f"{number}.0" if number % 2 else str(number) for number in ids))
    title = SampleColumn("title", tuple(f"Title {number}" for number in ids))
    counter = SampleColumn("n", tuple(f"text {number}" for number in range(len(ids))))
    shown = len(ids) - len(set(ids)) >= 2
    assert item.determines(title) is (True if shown else None)
    assert item.determines(counter) is (False if shown else None)
    assert item.distinct == len(set(ids))


def test_examples_are_the_first_different_values() -> None:
    assert SampleColumn("x", ("b", "a", "b", "", "c", "d", "e")).shown() == "b, a, c, d"
    assert (
        SampleColumn("x", ("",)).shown() == "nothing" and SampleColumn("x", ("w" * 99,)).shown(width=9) == "w" * 8 + "…"
    )
