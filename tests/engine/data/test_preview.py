"""What a set would be, before anything is run."""

from typing import Any

import pytest

from engine.data.preview import moment, preview
from engine.errors import DataError

ROWS = [(user, item, 100 * user + item, 1 + (user + item) % 5) for user in range(1, 7) for item in range(1, 7)]


def seen(sets: Any, rows: list[tuple[Any, ...]] = ROWS, **changes: Any) -> dict[str, Any]:
    sets.write("x.csv", "user,item,time,stars,name\n" + "".join(f"{u},{i},{t},{s},Thing {i}\n" for u, i, t, s in rows))
    columns = {"user": "user", "item": "item", "key": None, "time": "time", "rating": "stars", "title": "name"}
    return preview(sets.settings("table", columns=columns | {"text": None}, **changes), lambda *_: None)


def test_counts_are_those_of_the_stage(sets: Any) -> None:
    found = seen(sets, [*ROWS, ROWS[0]], min_rating=2)
    low = sum(row[3] < 2 for row in [*ROWS, ROWS[0]])
    assert found["read"] | {"first": "101", "last": "606"} == found["read"]
    assert (found["read"]["events"], found["read"]["users"], found["read"]["items"]) == (37, 6, 6)
    assert found["dropped"] == {"rating below min_rating": low, "said twice": 1}
    assert found["interactions"] == 37 - low - 1
    assert found["read"]["ratings"] == {"lowest": 1.0, "highest": 5.0, "missing": 0}
    prepared = sets.prepare(
        "table", min_rating=2, columns=sets.settings("table").columns.__dict__ | {"rating": "stars"}
    )
    assert found["targets_hash"] == prepared.profile["targets_hash"] and found["rows"] == prepared.profile["rows"]


def test_the_effect_of_k_cores_is_that_of_the_filter(sets: Any) -> None:
    rare = [(7, 9, 1, 3)] * 3
    found = {core["core"]: core for core in seen(sets, ROWS + rare)["cores"]}
    assert found[5] == {"core": 5, "users": 6, "items": 6, "interactions": 36}
    assert found[10] == {"core": 10, "users": 0, "items": 0, "interactions": 0}
    assert seen(sets, ROWS + rare, core_users=5, core_items=5)["interactions"] == 36


def test_k_cores_are_those_of_the_events_that_ratings_keep(sets: Any) -> None:
    assert [seen(sets, **how)["cores"][0]["interactions"] for how in ({}, {"min_rating": 3})] == [36, 0]


def test_the_first_events_are_shown_as_they_are(sets: Any) -> None:
    first = seen(sets)["events"][0]
    assert first == {"user": "1", "item": "1", "time": "101", "rating": 3.0, "title": "Thing 1"}


def test_warnings_are_those_of_the_stage(sets: Any) -> None:
    tied = [(user, item, 5, stars) for user, item, _, stars in ROWS]
    (warning,) = seen(sets, tied)["warnings"]
    assert "share their time" in warning
    padded = [("07" if user == 1 else user + 5, item, time, stars) for user, item, time, stars in ROWS]
    assert "leading zeros" in seen(sets, padded)["warnings"][0]


@pytest.mark.parametrize(
    ("time", "wanted"),
    [
        (1_600_000_000, "2020-09-13 12:26:40"),
        (1_600_000_000_000, "2020-09-13 12:26:40"),
        (1_600_000_000_000_000, "2020-09-13 12:26:40"),
        (1_600_000_000 * 10**9, "2020-09-13 12:26:40"),
        (1_600_000_000.5, "2020-09-13 12:26:40"),
        (17, "17"),
    ],
)
def test_a_time_is_shown_as_a_date_where_it_is_one(time: float, wanted: str) -> None:
    assert moment(time) == wanted


def test_nothing_is_fetched(sets: Any) -> None:
    with pytest.raises(DataError, match="not before"):
        preview(sets.settings("ml-100k", path=None), lambda *_: None)
