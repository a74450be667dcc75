"""Values against declarations."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.settings import setting
from engine.config.settings.tree import Setting, checked, parse, settings, tree_of
from engine.errors import ConfigError


@dataclass
class Inner:
    rate: float = setting("share", low=0, below=1)
    kinds: list[str] = setting("which", choices=("a", "b"))


@dataclass
class Outer:
    width: int = setting("width", low=1, high=512)
    name: str | None = setting("label")
    on: bool = setting("switch")
    inner: Inner
    maybe: Inner | None

    def check(self) -> Iterator[tuple[str, str]]:
        if self.width % 2:
            yield "width", "must be even because it is halved"


def tree(**changes: Any) -> dict[str, Any]:
    return {
        "width": 64,
        "name": None,
        "on": True,
        "inner": {"rate": 0.1, "kinds": ["a"]},
        "maybe": None,
    } | changes


def declared(key: str) -> Setting:
    return next(item for item in settings(Outer) if item.key == key)


def test_a_sound_tree_becomes_nested_dataclasses() -> None:
    built = tree_of(Outer, tree(maybe={"rate": 0, "kinds": []}), "", "")
    assert built == Outer(64, None, True, Inner(0.1, ["a"]), Inner(0.0, []))
    assert isinstance(built.maybe.rate, float)


def test_every_leaf_is_listed_with_its_dotted_key() -> None:
    keys = [item.key for item in settings(Outer)]
    assert keys == ["width", "name", "on", "inner.rate", "inner.kinds", "maybe.rate", "maybe.kinds"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"widht": 3}, ["widht", "Did you mean width"]),
        ({"width": 0}, ["width", "at least 1", "at most 512"]),
        ({"width": 513}, ["at most 512"]),
        ({"width": 2.5}, ["whole number"]),
        ({"width": True}, ["whole number"]),
        ({"width": 3}, ["must be even because it is halved"]),
        ({"width": None}, ["whole number"]),
        ({"on": "yes"}, ["true or false"]),
        ({"inner": 3}, ["group of settings"]),
        ({"inner": {"rate": 1.0, "kinds": []}}, ["inner.rate", "less than 1"]),
        ({"inner": {"rate": float("nan"), "kinds": []}}, ["inner.rate"]),
        ({"inner": {"rate": 0.5, "kinds": ["c"]}}, ["one of a, b"]),
        ({"inner": {"rate": 0.5}}, ["inner.kinds is missing"]),
    ],
)
def test_an_unsound_tree_is_refused_with_the_place_and_what_is_allowed(
    changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        tree_of(Outer, tree(**changes), "", "run/config.yaml")
    for word in [*words, "run/config.yaml"]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("width", "64", 64),
        ("width", "1e2", 100),
        ("inner.rate", "1e-3", 0.001),
        ("on", "False", False),
        ("on", "1", True),
        ("name", "null", None),
        ("name", "a,b=[c] # ${seed}", "a,b=[c] # ${seed}"),
        ("inner.kinds", "a,b", ["a", "b"]),
        ("inner.kinds", "['a']", ["a"]),
        ("inner.kinds", "[]", []),
    ],
)
def test_text_becomes_the_declared_type(key: str, text: str, value: Any) -> None:
    assert parse(declared(key), text) == value


@pytest.mark.parametrize(("key", "text"), [("width", "wide"), ("width", "2.5"), ("width", "inf"), ("on", "maybe")])
def test_text_of_another_type_is_refused(key: str, text: str) -> None:
    with pytest.raises(ConfigError, match=key):
        parse(declared(key), text)


@pytest.mark.parametrize(("key", "text"), [("width", "0"), ("inner.rate", "1"), ("inner.kinds", "a,c"), ("on", "2")])
def test_a_text_that_is_not_allowed_is_refused_with_what_is(key: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} .*takes "):
        checked(declared(key), text)
    assert checked(declared("inner.kinds"), "b,a") == ["b", "a"]


@given(st.integers(-(10**18), 10**18))
def test_a_whole_number_survives_as_text(number: int) -> None:
    assert parse(declared("width"), str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_as_text(number: float) -> None:
    assert parse(declared("inner.rate"), repr(number)) == number
