"""Prompts put together from pieces equal prompts tokenised one by one."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backbone.slots import SPECIALS, Vocabulary
from engine.errors import ConfigError
from engine.teacher.prompting.tokenizer import NO_LABEL, Prompts, PromptTokenizer

TITLES = ["", "Alpha", "Beta Two", "Gamma: The Long One", "Delta", ""]
PADDING, PLAIN, HISTORY, CANDIDATE = (ord("\ue000") + k for k in range(4))
BEGIN = ord("\ue005")
TEMPLATE = "Seen [HistoryHere] so far. Next:"
OFFER = "Seen [HistoryHere]. Choose from: [CansHere]. Answer:"


def letters(texts: list[str]) -> list[list[int]]:
    """A tokenizer that a person can read: one token a letter."""
    return [[ord(letter) for letter in text] for text in texts]


def unread(tokens: list[int]) -> str:
    return "".join(map(chr, tokens))


def tokenizer(longest: int = 1000, longest_title: int = 50, space: str = " ") -> PromptTokenizer:
    vocabulary = Vocabulary(letters, unread, space, BEGIN, PADDING, HISTORY, CANDIDATE, PLAIN)
    return PromptTokenizer(TITLES, vocabulary, longest, longest_title)


def text(prompts: Prompts, row: int) -> str:
    names = {BEGIN: "<s>", **{ord("\ue000") + k: name for k, name in enumerate(SPECIALS)}}
    return "".join(names.get(token, chr(token)) for token in prompts.ids[row, prompts.mask[row] == 1])


def rows(*histories: list[int]) -> np.ndarray:
    length = max(map(len, histories))
    return np.asarray([[0] * (length - len(history)) + history for history in histories])


def test_a_prompt_is_its_text(fill: Callable[..., str]) -> None:
    """Only the blanks around slots differ: a slot is a token of its own and needs none."""
    made = tokenizer().assemble(TEMPLATE, rows([1, 2], [3]))
    expected = fill(TEMPLATE, ["Alpha", "Beta Two"]).replace(" [HistoryEmb]", "[HistoryEmb]")
    assert text(made, 0) == "<s>" + expected
    assert text(made, 1) == "<s>Seen Gamma: The Long One[HistoryEmb] so far. Next:"


def test_every_slot_carries_its_item_and_nothing_else_does() -> None:
    made = tokenizer().assemble(OFFER, rows([1, 2], [4]), rows([3, 1], [2, 4]))
    for row, items in enumerate(([1, 2, 3, 1], [4, 2, 4])):
        assert made.items[row][made.items[row] > 0].tolist() == items
    assert (np.isin(made.ids, (HISTORY, CANDIDATE)) == (made.items > 0)).all()


def test_text_only_prompts_carry_no_item() -> None:
    made = tokenizer().assemble(OFFER, rows([1]), rows([3]), slots=False)
    assert (made.items == 0).all() and text(made, 0).count("[PH]") == 2


def test_labels_are_the_answer_and_its_end() -> None:
    made = tokenizer().assemble(TEMPLATE, rows([1], [2, 3]), answers=np.asarray([2, 4]))
    for row, title in enumerate((" Beta Two\n", " Delta\n")):
        assert "".join(map(chr, made.labels[row][made.labels[row] != NO_LABEL])) == title
        assert text(made, row).endswith(title)


def test_padding_on_the_left_moves_a_prompt_and_changes_nothing_in_it() -> None:
    right, left = (tokenizer().assemble(TEMPLATE, rows([1], [2, 3]), left=left) for left in (False, True))
    assert (left.mask[:, -1] == 1).all() and (right.mask[:, 0] == 1).all()
    assert [text(left, row) for row in range(2)] == [text(right, row) for row in range(2)]
    assert left.items[0][left.mask[0] == 1].tolist() == right.items[0][right.mask[0] == 1].tolist()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=4), st.integers(40, 120))
def test_what_does_not_fit_is_left_out_from_the_oldest_item_on(histories: list[list[int]], longest: int) -> None:
    history = rows(*([*histories, [1]]))
    made = tokenizer(longest).assemble(TEMPLATE, history)
    whole = tokenizer().assemble(TEMPLATE, history)
    for row, items in enumerate([*histories, [1]]):
        kept = made.history[row][made.history[row] > 0].tolist()
        assert kept == items[len(items) - len(kept) :]
        assert (made.ids[row] == HISTORY).sum() == len(kept)
        assert made.length[row] <= longest
        if len(kept) < len(items):
            older = items[len(items) - len(kept) - 1]
            assert made.length[row] + len(TITLES[older]) + 3 > longest  # its blank, its comma and its slot
        else:
            assert made.length[row] == whole.length[row]


def test_a_title_longer_than_the_context_is_cut_and_keeps_its_slot() -> None:
    made = tokenizer(longest=30, longest_title=6).assemble(TEMPLATE, rows([3]))
    assert text(made, 0) == "<s>Seen Gamma[HistoryEmb] so far. Next:"


def test_a_context_too_short_for_one_title_is_refused_with_a_remedy() -> None:
    with pytest.raises(
        ConfigError, match=r"teacher\.context: the prompt does not fit into 25 tokens[\s\S]*title_tokens"
    ):
        tokenizer(longest=25).assemble(TEMPLATE, rows([3]))


def test_an_item_without_a_title_is_named_and_an_empty_history_is_empty() -> None:
    made = tokenizer().assemble(TEMPLATE, np.asarray([[5], [0]]))
    assert "untitled item 5[HistoryEmb]" in text(made, 0)
    assert text(made, 1) == "<s>Seen so far. Next:"


def test_titles_are_tokenised_once() -> None:
    calls: list[int] = []

    def counting(texts: list[str]) -> list[list[int]]:
        calls.append(len(texts))
        return letters(texts)

    made = PromptTokenizer(
        TITLES, Vocabulary(counting, unread, " ", None, PADDING, HISTORY, CANDIDATE, PLAIN), 1000, 50
    )
    made.assemble(TEMPLATE, rows([1, 2]))
    before = len(calls)
    for _ in range(3):
        made.assemble(TEMPLATE, rows([3, 4, 1]))
    assert len(calls) == before and max(calls) == len(TITLES) - 1
