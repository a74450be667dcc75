"""A tokenizer of the catalogue's own."""

from hypothesis import given
from hypothesis import strategies as st

from engine.backbone import language
from engine.backbone.slots import SPECIALS
from engine.backbone.tokenizer import train_tokenizer

MADE = train_tokenizer(["Iron Meadow 2: Gloomy Western", "Iron Harbour: Gloomy Western"] * 3, 320)


@given(st.text(max_size=30))
def test_every_text_comes_back(text: str) -> None:
    words = language.vocabulary(MADE)
    assert words.decode(words.encode([text])[0]) == text or any(token in text for token in (*SPECIALS, "<s>", "</s>"))


def test_a_word_that_follows_a_blank_is_one_token() -> None:
    words = language.vocabulary(MADE)
    assert len(words.encode([words.space + "Gloomy"])[0]) == 1 and words.space == " "


def test_training_twice_gives_the_same_tokens() -> None:
    again = train_tokenizer(["Iron Meadow 2: Gloomy Western", "Iron Harbour: Gloomy Western"] * 3, 320)
    assert again.get_vocab() == MADE.get_vocab()


def test_slots_are_tokens_of_their_own() -> None:
    words = language.vocabulary(MADE)
    assert words.encode(["Iron[HistoryEmb], Iron"])[0].count(words.history_slot) == 1
    assert len({words.history_slot, words.candidate_slot, words.plain_slot, words.padding, words.begin}) == 5
