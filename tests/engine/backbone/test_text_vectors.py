"""One vector per item, whatever else is read at the same time."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from engine.backbone import language
from engine.backbone.text_vectors import shared, text_vectors
from engine.backbone.tokenizer import train_tokenizer
from engine.training.processes import Processes
from tests.fixtures.processes import together

TEXTS = ["", "Iron Meadow", "Old Salt and the Sea of Glass", "Quiet", "Iron Meadow"]
WORDS = train_tokenizer(TEXTS[1:], 300)


def language_model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2
    )
    return LlamaForCausalLM(config).eval()


MODEL = language_model()


def made(pooling: str, batch_tokens: int, longest: int = 50, processes: Processes | None = None) -> torch.Tensor:
    seen: list[int] = []
    words = language.vocabulary(WORDS)
    vectors = text_vectors(MODEL, words, TEXTS, pooling, longest, batch_tokens, seen.append, processes)
    assert seen[-1] == 4
    return vectors


def test_vectors_do_not_depend_on_the_batch() -> None:
    for pooling in ("mean", "last"):
        torch.testing.assert_close(made(pooling, 1000), made(pooling, 1), rtol=1e-4, atol=1e-5)


def test_the_padding_has_the_zero_vector_and_equal_texts_equal_ones() -> None:
    vectors = made("mean", 1000)
    assert (vectors[0] == 0).all() and (vectors[1:] != 0).any(dim=1).all()
    torch.testing.assert_close(vectors[1], vectors[4])
    assert (vectors[1] - vectors[2]).abs().max() > 1e-3


def test_poolings_differ_and_a_long_text_is_cut() -> None:
    assert (made("mean", 1000)[2] - made("last", 1000)[2]).abs().max() > 1e-3
    assert (made("mean", 1000)[2] - made("mean", 1000, longest=3)[2]).abs().max() > 1e-3


@pytest.mark.parametrize("pooling", ["mean", "tokens"])
def test_processes_that_share_the_batches_all_get_the_very_vectors_of_one(pooling: str) -> None:
    alone = made(pooling, 1)  # four batches of one text
    assert all(torch.equal(found, alone) for found in together(lambda own: made(pooling, 1, processes=own), 3))


def test_each_batch_is_computed_by_one_process_and_reported_by_all() -> None:
    chosen, read, reports = [np.array([2, 1]), np.array([3]), np.array([4])], dict[int, list[int]](), list[list[int]]()

    def work(processes: Processes) -> torch.Tensor:
        own, counts = read.setdefault(processes.rank, []), list[int]()
        reports.append(counts)

        def pooled(batch: np.ndarray) -> torch.Tensor:
            own.extend(batch.tolist())
            return torch.from_numpy(batch)[:, None] * torch.ones(1, 2)

        return shared(pooled, chosen, 5, 2, counts.append, processes)

    for vectors in together(work):
        assert vectors.tolist() == [[row, row] for row in range(5)]
    assert read == {0: [2, 1, 4], 1: [3]} and reports == [[2, 3, 4]] * 2
