"""The tokens that a tokenizer gets beside its own, and what the writers of prompts must know of it."""

from collections.abc import Callable
from dataclasses import dataclass

PADDING_TOKEN = "[PAD]"
HISTORY_SLOT, CANDIDATE_SLOT, PLAIN_SLOT = "[HistoryEmb]", "[CansEmb]", "[PH]"
ITEM_SLOT = "[ItemEmb]"  # no published template uses it; the published tokenizer has it
SEPARATOR = ", "  # between two titles of a list
SPECIALS = (PADDING_TOKEN, PLAIN_SLOT, HISTORY_SLOT, CANDIDATE_SLOT, ITEM_SLOT)  # in their published order


@dataclass(frozen=True)
class Vocabulary:
    """What prompts must know of a tokenizer."""

    encode: Callable[[list[str]], list[list[int]]]  # texts -> token ids, without anything it adds by itself
    decode: Callable[[list[int]], str]
    space: str  # what a text needs in front for its first word to be a word of its own: " " or nothing
    begin: int | None
    padding: int
    history_slot: int
    candidate_slot: int
    plain_slot: int  # replaces both slots when no vectors are inserted
