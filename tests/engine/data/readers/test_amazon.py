"""Amazon reviews of three years with their metadata."""

import json
from typing import Any

import pytest

from engine.errors import DataError


def old(user: str, item: str, time: Any, rating: Any = 5.0) -> dict[str, Any]:
    return {"reviewerID": user, "asin": item, "overall": rating, "unixReviewTime": time, "reviewText": "x", "vote": "2"}


def new(user: str, item: str, time: Any) -> dict[str, Any]:
    return {"user_id": user, "asin": item + "-v", "parent_asin": item, "rating": 4.0, "timestamp": time, "images": []}


def jsonl(*entries: dict[str, Any]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def test_reviews_of_2018_with_lists_in_their_metadata(sets: Any) -> None:
    sets.write("Video_Games_5.json.gz", jsonl(old("U1", "B1", 20), old("U2", "B2", 10, 3)))
    meta = {"asin": "B1", "title": "Tom &amp; Jerry", "brand": "Acme", "category": ["Video Games", "PC", "Action"]}
    more = {"asin": "B2", "title": "", "description": ["<b>Fast</b>", "fun"]}
    sets.write("meta_Video_Games.json.gz", jsonl(meta, more, {"asin": "B3", "title": "unused"}, meta | {"title": "2"}))
    read = sets.read("amazon-2018")
    assert sets.events(read) == [("U1", "B1"), ("U2", "B2")]
    assert read.time.tolist() == [20, 10] and read.rating.tolist() == [5, 3]
    assert sets.titles(read) == {"B1": "Tom &amp; Jerry", "B2": ""}
    assert read.catalogue.text.to_pylist() == ["Acme. PC, Action", "<b>Fast</b> fun"]


def test_items_without_a_title_keep_their_id_as_a_name(sets: Any) -> None:
    reviews = [old(user, item, 5) for user in ("U1", "U2") for item in ("B1", "B2", "B3")]
    sets.write("Video_Games_5.json", jsonl(*reviews))
    sets.write("meta_Video_Games.json", jsonl({"asin": "B1", "title": "x" * 10_000}, {"asin": "B2", "title": None}))
    prepared = sets.prepare("amazon-2018", core_users=0, core_items=0)
    titles = prepared.items["title"].to_pylist()
    assert len(titles[0]) == 200 and titles[1:] == ["item B2", "item B3"]
    assert prepared.profile["titles"]["missing"] == 2


def test_reviews_of_2014_with_loose_metadata(sets: Any) -> None:
    sets.write("reviews_Video_Games_5.json", jsonl(old("U1", "0700", 20)))
    sets.write(
        "meta_Video_Games.json",
        "{'asin': '0700', 'title': \"Rock 'n' Roll\", 'price': 37.98, 'categories': [['Video Games', 'PC']]}\n",
    )
    read = sets.read("amazon-2014")
    assert sets.titles(read) == {"0700": "Rock 'n' Roll"} and read.catalogue.text[0].as_py() == "PC"


def test_loose_reviews_of_2014_are_read_too(sets: Any) -> None:
    sets.write("reviews_Video_Games.json", f"{old('U1', 'B1', 20)!r}\n{json.dumps(old('U2', 'B2', 10))}\n")
    assert sets.events(sets.read("amazon-2014")) == [("U1", "B1"), ("U2", "B2")]


def test_nothing_in_a_loose_line_is_executed(sets: Any) -> None:
    owned = sets.folder / "owned"
    sets.write("reviews_Video_Games.json", f"__import__('os').mkdir({str(owned)!r})\n")
    with pytest.raises(DataError, match="not a whole JSON object"):
        sets.read("amazon-2014")
    assert not owned.exists()


def test_reviews_of_2023_belong_to_the_parent_item(sets: Any) -> None:
    sets.write("Video_Games.jsonl", jsonl(new("U1", "B1", 1588687728923), new("U1", "B2", 1588687728000)))
    meta = {"parent_asin": "B1", "title": "One", "store": "Acme", "categories": ["Games", "PC"], "features": []}
    sets.write("meta_Video_Games.jsonl", jsonl(meta))
    read = sets.read("amazon-2023")
    assert sets.events(read) == [("U1", "B1"), ("U1", "B2")]
    assert read.time.tolist() == [1588687728923, 1588687728000]
    assert sets.titles(read) == {"B1": "One"} and read.catalogue.text[0].as_py() == "Acme. PC"


def test_reviews_without_metadata_are_read(sets: Any) -> None:
    sets.write("Video_Games.jsonl", jsonl(new("U1", "B1", 5)))
    assert sets.read("amazon-2023").catalogue is None


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (json.dumps(new("U", "B", 5))[:40], "not a whole JSON object"),
        ("[1, 2]", "not a JSON object"),
        (json.dumps({"user_id": "U", "rating": 4.0, "timestamp": 5}), "has no parent_asin"),
        (json.dumps(new("U", "B", None)), "has no timestamp"),
        (json.dumps(new("U", "B", "soon")), "timestamp is 'soon', not a whole number"),
        (json.dumps(new("U", "B", 5) | {"rating": "five"}), "rating is 'five', not a number"),
        (json.dumps(new("U", "B", 2**70)), "not a whole number of 64 bits"),
    ],
)
def test_a_line_that_is_no_review_is_named(sets: Any, line: str, cause: str) -> None:
    sets.write("Video_Games.jsonl", jsonl(new("U1", "B1", 5)) + "\n" + line + "\n" + jsonl(new("U1", "B1", 5)))
    with pytest.raises(DataError) as error:
        sets.read("amazon-2023")
    assert cause in error.value.cause and error.value.location.endswith("Video_Games.jsonl:3") and error.value.remedy


@pytest.mark.parametrize("time", [-1, 10**13])
def test_a_time_that_cannot_be_is_named(sets: Any, time: int) -> None:
    sets.write("Video_Games.jsonl", jsonl(new("U1", "B1", 1588687728), new("U1", "B2", time)))
    with pytest.raises(DataError) as error:
        sets.read("amazon-2023")
    assert error.value.location.endswith("Video_Games.jsonl, event 2")


def test_metadata_cut_short_is_named(sets: Any) -> None:
    sets.write("Video_Games.jsonl", jsonl(new("U1", "B1", 5)))
    sets.write("meta_Video_Games.jsonl", '{"parent_asin": "B1", "title": "One"}\n{"parent_a')
    with pytest.raises(DataError) as error:
        sets.read("amazon-2023")
    assert error.value.location.endswith("meta_Video_Games.jsonl:2")


def test_metadata_in_another_encoding_is_named(sets: Any) -> None:
    sets.write("Video_Games.jsonl", jsonl(new("U1", "B1", 5)))
    sets.write("meta_Video_Games.jsonl", '{"parent_asin": "B1", "title": "Café"}\n'.encode("latin-1"))
    with pytest.raises(DataError, match="no UTF-8") as error:
        sets.read("amazon-2023")
    assert error.value.location.endswith("meta_Video_Games.jsonl:1")
