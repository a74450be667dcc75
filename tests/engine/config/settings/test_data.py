"""Settings of the data stage that contradict each other are refused, and every choice can be loaded."""

from typing import Any

import pytest

from engine.config import groups, load
from engine.data.download import SETS
from engine.errors import ConfigError


@pytest.mark.parametrize("choice", groups()["data"])
def test_every_choice_is_complete_and_consistent(choice: str) -> None:
    settings = load([f"data={choice}"]).data
    assert settings.name == choice
    assert settings.fetch is None or settings.fetch in SETS


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (["data=demo", "data.split=users"], "data.split"),
        (["data=demo", "data.format=table"], "data.format"),
        (["data=demo", "data.core_items=5"], "data.core_users"),
        (["data=ml-100k", "data.format=demo"], "data.format"),
        (["data=ml-100k", "data.split=given"], "data.split"),
        (["data=ml-100k", "data.split=random"], "data.split"),
        (["data=ml-100k", "data.format=table"], "data.columns"),
        (["data=amazon-2023", "data.category=null"], "data.category"),
        (["data=ml-100k", "data.window=0"], "data.window"),
        (["data=demo", "data.world.cold=1"], "data.world.cold"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(words: list[str], about: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(words)
    assert about in str(error.value)


@pytest.mark.parametrize("wrong", ["::", "", "é", '"', "tabs"])
def test_a_separator_that_pyarrow_cannot_take_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="separator"):
        load(["data=table", "data.path=x", f"data.separator={wrong}"])


@pytest.mark.parametrize("right", ["tab", r"\t", "|", "#"])
def test_separators_by_name_and_single_characters_are_taken(right: str) -> None:
    assert load(["data=table", "data.path=x", f"data.separator={right}"]).data.separator == right


def test_columns_are_named_on_the_command_line() -> None:
    words: list[Any] = ["data=table", "data.columns.user=who", "data.columns.time=null", "data.min_rating=3"]
    settings = load(words).data
    assert settings.columns is not None and settings.columns.user == "who" and settings.columns.time is None
    assert settings.min_rating == 3.0
