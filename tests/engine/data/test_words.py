"""The demo world's vocabulary."""

from itertools import pairwise

from engine.data.words import ERAS, FIRST, GENRES, MOODS, SECOND, series, with_article


def test_every_number_of_a_series_has_a_name_of_its_own_and_neighbours_share_no_word() -> None:
    names = [series(number) for number in range(len(FIRST) * len(SECOND))]
    assert len(set(names)) == 1444
    assert not any(set(one.split()) & set(two.split()) for one, two in pairwise(names))


def test_no_word_of_a_title_means_two_things() -> None:
    words = [*GENRES, *MOODS, *ERAS, *FIRST, *SECOND]
    assert len(set(words)) == len(words)


def test_the_article_fits_the_word() -> None:
    assert with_article("gloomy") == "A gloomy" and with_article("eerie") == "An eerie"
