"""The names of columns: one role each, however they are written."""

import pytest

from engine.data.schema.names import NAMES, USER, best, known, plain, ranked

EVERY = [(role, name) for role, groups in NAMES.items() for group in groups for name in group.replace(">", " ").split()]


def test_a_name_has_one_role() -> None:
    roles: dict[str, set[str]] = {}
    for role, name in EVERY:
        roles.setdefault(plain(name), set()).add(role)
    assert {name: found for name, found in roles.items() if len(found) > 1} == {}


@pytest.mark.parametrize("role", NAMES)
def test_a_name_is_known_in_every_writing(role: str) -> None:
    for name in [name for own, name in EVERY if own == role]:
        words = name.split("_")
        camel = words[0] + "".join(word.title() for word in words[1:])
        for written in (
            name,
            name.upper(),
            camel,
            "-".join(words),
            " ".join(words).title(),
            f" {name} ",
            f"{name}:token",
        ):
            found = known(written)
            assert found is not None and found[0] == role, written


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["session_id", "user_id"], ["user_id"]),
        (["username", "uid"], ["uid"]),
        (["customer", "reviewerID"], ["customer", "reviewerID"]),
        (["visitorid", "customer_id"], ["customer_id"]),
        (["rating", "item"], []),
    ],
)
def test_the_surest_name_is_the_best_and_equals_are_both(names: list[str], wanted: list[str]) -> None:
    assert best(USER, names) == wanted


def test_the_last_part_of_a_path_is_a_name_too() -> None:
    assert ranked(USER, ["author.steamid", "review/userId", "a.b", "x.user"]) == [
        "review/userId",
        "x.user",
        "author.steamid",
    ]
