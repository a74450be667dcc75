import json
import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.wire import (
    ComparedSetting,
    Examination,
    ItemNames,
    ModelList,
    RankedItem,
    Recommendations,
    ReportedCheck,
    Spread,
    plain,
    read,
)

LISTS = Recommendations(
    [ItemNames(9, "r9", "Nine")],
    "7",
    None,
    [
        ModelList("student", "student-1", "ready", "", "", [RankedItem(1, 2, "r2", "Two", 0.5, True)], 1.0, None, 2.5),
        ModelList("teacher", "teacher-1", "loading", "loading", gates=[0.25, 0.75]),
    ],
    [("student", "teacher", 0)],
)


def sent(answer: Any) -> Any:
    """Through JSON, as between two processes."""
    return json.loads(json.dumps(plain(answer)))


@pytest.mark.parametrize(
    "answer",
    [
        LISTS,
        Examination(False, 1.5, [ReportedCheck("ids", "data", "fail", "seen", "cause", "remedy", 0.5)]),
        ComparedSetting("student.sizes", [[1, 2], None, "x", True], False),
        Spread(None, None, 0, [None, 0.5]),
    ],
)
def test_an_answer_survives_the_way_through_json(answer: Any) -> None:
    assert read(type(answer), sent(answer)) == answer


def test_the_keys_of_the_json_are_the_names_and_the_order_of_the_fields() -> None:
    column = sent(LISTS)["columns"][0]
    assert list(column) == ["model", "run", "state", "note", "source", "items", "next_rank", "gates", "ms"]
    assert list(column["items"][0]) == ["rank", "item", "raw", "title", "score", "next"]


def test_every_text_passes_the_cleaning_that_the_reader_names() -> None:
    hostile = sent(LISTS)
    hostile["columns"][0]["items"][0]["title"] = hostile["overlap"][0][1] = "\x1b[31mred"
    read_back = read(Recommendations, hostile, lambda text: text.replace("\x1b", "?"))
    assert (read_back.columns[0].items[0].title, read_back.overlap[0][1]) == ("?[31mred", "?[31mred")


def test_unknown_keys_are_ignored_and_defaults_may_be_missing() -> None:
    assert read(ReportedCheck, {"check": "ids", "about": "data", "verdict": "pass", "evidence": "fine", "new": 1}) == (
        ReportedCheck("ids", "data", "pass", "fine")
    )


def test_a_number_that_is_not_finite_is_read_and_a_whole_number_is_a_float() -> None:
    spread = read(Spread, json.loads('{"mean": NaN, "sd": 1, "n": 2, "values": []}'))
    assert spread.mean is not None and math.isnan(spread.mean) and type(spread.sd) is float


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "Spread cannot be None"),
        ([], "Spread cannot be"),
        ({"mean": 1.0, "sd": None, "n": 1}, "Spread has no 'values'"),
        ({"mean": "1", "sd": None, "n": 1, "values": []}, "Spread.mean cannot be '1'"),
        ({"mean": True, "sd": None, "n": 1, "values": []}, "Spread.mean cannot be True"),
        ({"mean": 1.0, "sd": None, "n": 1.5, "values": []}, "Spread.n cannot be 1.5"),
        ({"mean": 1.0, "sd": None, "n": 1, "values": 3}, "Spread.values cannot be 3"),
    ],
)
def test_another_shape_is_an_error_that_names_the_key(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        read(Spread, value)


def test_a_tuple_has_exactly_its_parts_and_a_mapping_texts_as_keys() -> None:
    @dataclass(frozen=True)
    class Pair:
        pair: tuple[str, int]
        ranks: dict[str, float] = field(default_factory=dict)

    assert read(Pair, {"pair": ["a", 1], "ranks": {"m": 2}}) == Pair(("a", 1), {"m": 2.0})
    for wrong in ({"pair": ["a"]}, {"pair": ["a", 1, 2]}, {"pair": ["a", "b"]}, {"pair": ["a", 1], "ranks": []}):
        with pytest.raises(ValueError, match="Pair"):
            read(Pair, wrong)
