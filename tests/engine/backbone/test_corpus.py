"""The texts of pre-training: training histories only, in the form of the teacher's prompts."""

from typing import Any

import numpy as np
import pytest

from engine.backbone import language
from engine.backbone.corpus import NO_TARGET, Corpus, targets
from engine.backbone.slots import Vocabulary
from engine.backbone.tokenizer import train_tokenizer
from engine.data.sequences import Sequences

TITLES = ["", "Iron Meadow", "Glass Harbour 2", "Old Salt", "Quiet Engine"]
TEXTS = ["", "a western", "", "a tale of the sea", "about machines"]
SEQUENCES = Sequences(
    np.asarray([1, 2, 3, 2, 4, 4, 3, 1, 2], dtype=np.int32), np.asarray([0, 3, 5, 6, 9]), np.asarray([0, 1, 2, 3])
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer([part for part in (*TITLES, *TEXTS) if part], 400)


def corpus(tokenizer: Any, **changed: Any) -> tuple[Corpus, Vocabulary]:
    words = language.vocabulary(tokenizer)
    rules = {"context": 100, "batch": 4, "catalogue": 0.25, "held_out": 0.25, "seed": 3} | changed
    return Corpus(SEQUENCES, TITLES, TEXTS, words, **rules), words


def test_a_history_reads_as_titles_with_slots_and_commas(tokenizer: Any) -> None:
    made, _ = corpus(tokenizer)
    tokens = made.histories(np.asarray([0, 2]))
    assert (
        tokenizer.decode(tokens[0]) == "<s> Iron Meadow[HistoryEmb], Glass Harbour 2[HistoryEmb], Old Salt[HistoryEmb]"
    )
    assert tokenizer.decode(tokens[1]).replace("[PAD]", "") == "<s> Quiet Engine[HistoryEmb]"


def test_a_later_start_leaves_the_first_items_out(tokenizer: Any) -> None:
    made, _ = corpus(tokenizer)
    assert tokenizer.decode(made.histories(np.asarray([0]), np.asarray([2]))[0]) == "<s> Old Salt[HistoryEmb]"


def test_users_held_out_are_never_trained_on_and_all_others_are(tokenizer: Any) -> None:
    made, _ = corpus(tokenizer, catalogue=0.0, batch=1)
    held = {tuple(row[row != 2]) for row in made.histories(made.held_out)}
    seen = {tuple(row) for step in range(made.per_epoch) for row in made(step)}
    assert made.per_epoch == 3 and len(made.held_out) == 1
    assert not held & seen


def test_a_batch_depends_on_seed_and_step_alone(tokenizer: Any) -> None:
    first, second = corpus(tokenizer)[0], corpus(tokenizer)[0]
    second(5)
    assert all(np.array_equal(first(step), second(step)) for step in (0, 7, 3))
    assert not all(np.array_equal(corpus(tokenizer, seed=4)[0](step), first(step)) for step in range(4))


def test_no_text_is_longer_than_the_context(tokenizer: Any) -> None:
    made, _ = corpus(tokenizer, context=6)
    assert max(made(step).shape[1] for step in range(5)) <= 6


def test_catalogue_entries_are_a_title_and_its_text(tokenizer: Any) -> None:
    made, _ = corpus(tokenizer, catalogue=0.75)
    lines = {tokenizer.decode(row).replace("[PAD]", "") for step in range(20) for row in made(step)}
    assert "<s> Old Salt[HistoryEmb] a tale of the sea" in lines
    assert "<s> Glass Harbour 2[HistoryEmb]" in lines  # an item without a text


def test_targets_are_the_following_tokens_and_nothing_behind_the_end() -> None:
    assert targets(np.asarray([[5, 6, 7], [8, 0, 0]]), 0).tolist() == [[6, 7], [NO_TARGET, NO_TARGET]]
