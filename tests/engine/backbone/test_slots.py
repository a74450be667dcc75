"""The tokens of slots, and that lists of titles are put together from pieces without a change."""

from engine.backbone import language
from engine.backbone.slots import PADDING_TOKEN, SEPARATOR, SPECIALS
from engine.backbone.tokenizer import train_tokenizer

TITLES = ["Iron Meadow", "Old Salt, and the Sea", "Glass 2000"]


def test_the_slots_have_their_published_order() -> None:
    """A published adapter was trained with these tokens at consecutive ids behind the model's own."""
    assert SPECIALS == ("[PAD]", "[PH]", "[HistoryEmb]", "[CansEmb]", "[ItemEmb]") and SPECIALS[0] == PADDING_TOKEN


def test_each_slot_is_one_token_of_its_own_wherever_it_stands() -> None:
    vocabulary = language.vocabulary(train_tokenizer(TITLES, 300))
    own = [vocabulary.padding, vocabulary.plain_slot, vocabulary.history_slot, vocabulary.candidate_slot]
    assert len(set(own)) == 4
    for token, number in zip(SPECIALS, own, strict=False):
        (before, after, whole) = vocabulary.encode(["Iron", " Meadow", f"Iron{token} Meadow"])
        assert whole == [*before, number, *after]


def test_a_list_of_titles_has_the_tokens_of_its_pieces() -> None:
    vocabulary = language.vocabulary(train_tokenizer(TITLES, 300))
    (whole,) = vocabulary.encode([vocabulary.space + SEPARATOR.join(TITLES)])
    (comma,) = vocabulary.encode([SEPARATOR.strip()])
    pieces = vocabulary.encode([vocabulary.space + title for title in TITLES])
    assert whole == [token for number, piece in enumerate(pieces) for token in (comma if number else []) + piece]
    assert vocabulary.decode(whole).strip() == SEPARATOR.join(TITLES)
