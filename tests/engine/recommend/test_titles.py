import time

import numpy as np
import pytest

from engine.recommend.titles import Titles, plain

NAMES = ["", "Toy Story", "GoldenEye", "The Usual Suspects", "Amélie", "Alien", "Aliens", "GoldenEye", "???", "M"]
RAW = ["", *[f"r{n}" for n in range(1, 10)]]


@pytest.fixture(scope="module")
def catalogue() -> Titles:
    return Titles(NAMES, RAW)


@pytest.mark.parametrize(
    ("asked", "items"),
    [
        ("Toy Story", [1]),
        ("  toy   STORY ", [1]),
        ("Toy Story (1995)", [1]),
        ("Usual Suspects, The (1995)", [3]),
        ("amelie", [4]),
        ("Alien", [5]),
        ("GoldenEye", [2, 7]),
        ("r3", [3]),
        ("M", [9]),
        ("", []),
        ("???", []),
        ("Jaws", []),
    ],
)
def test_a_title_or_raw_id_names_its_items(catalogue: Titles, asked: str, items: list[int]) -> None:
    assert catalogue.named(asked) == items


def test_a_title_counts_before_a_raw_id() -> None:
    assert Titles(["", "7", "Seven"], ["", "9", "7"]).named("7") == [1]


@pytest.mark.parametrize(
    ("asked", "first"), [("Toy Stroy", 1), ("goldeneye 1995", 2), ("suspects", 3), ("Ameli", 4), ("alienz", 5)]
)
def test_a_misspelt_title_finds_what_was_meant(catalogue: Titles, asked: str, first: int) -> None:
    assert catalogue.nearest(asked)[0] == first


def test_nothing_is_near_to_nonsense_or_to_nothing(catalogue: Titles) -> None:
    assert catalogue.nearest("qqqqqqq") == []
    assert catalogue.nearest("") == []
    assert catalogue.nearest("***") == []


def test_names_are_compared_without_case_accents_and_punctuation() -> None:
    assert plain("  L'Été — en   Été!! ") == "l ete en ete"


def test_sixty_thousand_titles_answer_within_fifty_milliseconds() -> None:
    draw = np.random.default_rng(0)
    words = ["".join(map(chr, draw.integers(97, 123, size))) for size in draw.integers(2, 10, 4000)]
    names = ["", *(" ".join(words[w] for w in draw.integers(0, 4000, 4)) for _ in range(60_000))]
    catalogue = Titles(names, [str(n) for n in range(60_001)])
    asked = [names[n] + "x" for n in draw.integers(1, 60_001, 15)]
    taken = []
    for text in asked:
        begin = time.thread_time()
        found = catalogue.nearest(text)
        taken.append(time.thread_time() - begin)
        assert names[found[0]] + "x" == text
    assert sorted(taken)[7] < 0.05


FILMS = ["", "The Godfather", "The Godfather Part II", "Star Wars", "Star Trek IV: The Voyage Home", "Starman", "Wars"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("star", [5, 3, 4]),  # titles that begin so, shorter ones first
        ("star w", [3]),
        ("godf", [1, 2]),
        ("voyage st", [4]),  # words may stand in any order
        ("wars", [6, 3]),
        ("r4", [4]),
    ],
)
def test_what_is_typed_so_far_finds_the_titles_it_may_become(typed: str, expected: list[int]) -> None:
    found = Titles(FILMS, ["", *[f"r{n}" for n in range(1, 7)]]).complete(typed, 6)
    assert found[: len(expected)] == expected


def test_a_misspelt_beginning_falls_back_to_what_is_near() -> None:
    assert 1 in Titles(FILMS, [str(n) for n in range(7)]).complete("godfahter", 3)


def test_nothing_typed_completes_to_nothing() -> None:
    assert Titles(FILMS, [str(n) for n in range(7)]).complete("  ", 3) == []
