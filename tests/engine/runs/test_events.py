import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs.events import COMMON, KINDS, STEP, Event, fault, number, pack_counts, unpack_counts

EXAMPLE = {int: 3, float: 0.5, str: "text", list: [1.0], dict: {"loss": 0.5}, bool: True}


def example(name: str) -> Event:
    """An event of a kind with all of its fields."""
    kind = KINDS[name]
    fields = COMMON | kind.needs | kind.may | (STEP if kind.step else {})
    return {field: EXAMPLE[types[0]] for field, types in fields.items()} | {"k": name}


@pytest.mark.parametrize("name", KINDS)
def test_an_event_with_all_its_fields_is_accepted(name: str) -> None:
    assert fault(example(name)) is None


@pytest.mark.parametrize("name", KINDS)
def test_an_event_without_a_field_it_needs_is_refused(name: str) -> None:
    whole = example(name)
    needed = [*COMMON, *KINDS[name].needs, *(STEP if KINDS[name].step else {})]
    for field in needed:
        assert fault({key: value for key, value in whole.items() if key != field}), field
        assert fault(whole | {field: None}), field


@pytest.mark.parametrize("name", KINDS)
def test_a_field_that_may_be_absent_is_refused_when_it_has_another_type(name: str) -> None:
    for field in KINDS[name].may:
        assert fault(example(name) | {field: object()}), field


def test_what_a_later_version_adds_is_no_fault() -> None:
    assert fault({"k": "something new"}) is None
    assert fault(example("val") | {"protocol": "x"}) is None


@pytest.mark.parametrize("line", [None, 3, "s", [], {}, {"k": 3}])
def test_what_is_no_event_is_refused(line: object) -> None:
    assert fault(line)


def test_numbers_that_json_lacks_come_back() -> None:
    assert math.isnan(number("nan") or 0.0)
    assert (number("inf"), number("-inf"), number(2), number(0.5)) == (math.inf, -math.inf, 2.0, 0.5)
    assert [number(value) for value in ("3", "x", None, True, [1])] == [None] * 5


@given(
    st.integers(1, 40).flatmap(
        lambda bins: st.lists(st.lists(st.integers(0, 10**6), min_size=bins, max_size=bins), max_size=6)
    )
)
def test_histograms_survive_packing_to_a_255th_of_the_root(counts: list[list[int]]) -> None:
    text, largest = pack_counts(counts)
    for row, back, most in zip(counts, unpack_counts(text, largest), largest, strict=True):
        for count, seen in zip(row, back, strict=True):
            assert abs(math.sqrt(count) - math.sqrt(seen)) <= math.sqrt(most) * (0.5 / 255 + 1e-9)
            assert (count == most) <= (seen == most)


@pytest.mark.parametrize("field", ["step", "t", "ep"])
def test_a_whole_number_that_fits_no_float_is_refused(field: str) -> None:
    event = {"v": 1, "t": 1, "q": 1, "k": "s", "step": 1, "ep": 1, "m": {"loss": 10**400}}
    assert fault(event) is None and number(event["m"]["loss"]) is None  # type: ignore[index]
    assert fault(event | {field: 10**400})
