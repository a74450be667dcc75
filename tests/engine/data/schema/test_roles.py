"""Columns and what they mean."""

import itertools
from pathlib import Path

import pytest

from engine.data.schema.column import SampleColumn
from engine.data.schema.roles import roles
from engine.data.schema.sample import Sample
from engine.data.sources import Source

EVENTS = ((207, 1101), (208, 1102), (207, 1102), (209, 1103), (207, 1103), (208, 1101), (209, 1101))


def sample(*columns: SampleColumn, header: bool = True) -> Sample:
    return Sample(Source(Path("x.csv")), columns, True, header)


def column(name: str, value: str) -> SampleColumn:
    """``value`` is a pattern of the user {0}, the item {1} and the number {2} of an event."""
    return SampleColumn(name, tuple(value.format(*event, number) for number, event in enumerate(EVENTS)))


USUAL = [
    column("uid", "{0}"),
    column("sku", "{1}"),
    column("ts", "160000000{2}"),
    column("name", "Thing {1}"),
    column("x", "{2}"),
]


@pytest.mark.parametrize("order", list(itertools.permutations(USUAL))[::7])
def test_the_order_of_the_columns_does_not_matter(order: tuple[SampleColumn, ...]) -> None:
    assert roles(sample(*order), {}).chosen == {"user": "uid", "item": "sku", "time": "ts", "title": "name"}


@pytest.mark.parametrize("name", ["title", "name", "product_title"])
@pytest.mark.parametrize("value", ["Review {2}", "User {0}", "Same"])
def test_a_text_that_is_not_one_of_each_item_is_no_title(name: str, value: str) -> None:
    found = roles(sample(*USUAL[:3], column(name, value)), {})
    assert "title" not in found.chosen and "not one text for each item" in found.unused["title"]


def test_a_title_that_the_sample_does_not_show_is_asked_for_unless_its_name_says_it() -> None:
    few = [SampleColumn("uid", ("1", "1")), SampleColumn("sku", ("7", "8"))]
    assert "title" in roles(sample(*few, SampleColumn("title", ("a b", "c d"))), {}).open
    assert roles(sample(*few, SampleColumn("product_title", ("a b", "c d"))), {}).chosen["title"] == "product_title"


def test_an_id_of_every_row_is_not_the_user_where_another_column_repeats() -> None:
    found = roles(sample(column("reviewer", "r{2}"), column("customer", "{0}"), column("item", "{1}")), {})
    assert found.chosen["user"] == "customer"


def test_without_names_content_decides_or_leaves_open() -> None:
    numbered = [SampleColumn(str(at), own.values) for at, own in enumerate(USUAL[:4], 1)]
    assert roles(sample(*numbered, header=False), {}).chosen == {"user": "1", "item": "2", "time": "3", "title": "4"}
    assert roles(sample(*numbered[:3], header=False), {}).open.keys() == {"user", "item"}
    assert roles(sample(*numbered[:3], header=False), {"item": "2"}).chosen["user"] == "1"


def test_a_date_of_another_name_is_asked_for() -> None:
    found = roles(sample(*USUAL[:2], column("published", "2024-05-1{2}")), {})
    assert found.open == {"time": "published may be it"}


def test_what_is_given_is_kept_and_what_is_not_there_is_open() -> None:
    found = roles(sample(*USUAL), {"user": "x", "time": None, "item": "gone"})
    assert (
        found.chosen["user"] == "x" and "time" not in found.chosen and found.open["item"] == "there is no column 'gone'"
    )
    assert roles(sample(*USUAL), {"user": "5"}).chosen["user"] == "x"  # the fifth column
