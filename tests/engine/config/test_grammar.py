"""Several values in one word."""

import pytest

from engine.config import Config
from engine.config.grammar import values_of
from engine.config.settings.tree import settings
from engine.errors import ConfigError

DECLARED = {item.key: item for item in settings(Config)}


def values(word: str) -> list[str]:
    key, _, text = word.partition("=")
    return values_of(key, text, DECLARED.get(key), group="." not in key and key not in DECLARED)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("seed=1..3,7", ["1", "2", "3", "7"]),
        ("seed=3..1", ["3..1"]),
        ("student.dropout=0.1..0.3", ["0.1..0.3"]),  # a range of tune; a number of steps is not known
        ("student.dropout= 0.1 , 0.2", ["0.1", "0.2"]),
        ("student.heights=[1,2],[3]", ["[1,2]", "[3]"]),
        ("student.heights=[1,2]", ["[1,2]"]),
        ("evaluate.models=[popularity,student]", ["[popularity,student]"]),
        ("student.schedule=constant,cosine", ["constant", "cosine"]),
        ("student=sasrec,gru4rec", ["sasrec", "gru4rec"]),
        ("data.path=a,b", ["a,b"]),
        ("data.path=(a,b)", ["a", "b"]),
        ("data.path=('a,b',c)", ["'a,b'", "c"]),
        ("no.such.setting=a,b", ["a,b"]),
    ],
)
def test_a_word_is_split_by_the_type_of_its_setting(word: str, expected: list[str]) -> None:
    assert values(word) == expected


@pytest.mark.parametrize(
    ("word", "message"),
    [("student.heights=1,2", "Write student.heights=[1,2] for one list"), ("seed=1..3,2", "has a value twice")],
)
def test_an_ambiguous_word_is_refused(word: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        values(word)
    assert message in str(caught.value)
