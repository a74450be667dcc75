"""One vector per item, whatever else is read at the same time."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from engine.backbone import language
from engine.backbone.text_vectors import text_vectors
from engine.backbone.tokenizer import train_tokenizer

TEXTS = ["", "Iron Meadow", "Old Salt and the Sea of Glass", "Quiet", "Iron Meadow"]
WORDS = train_tokenizer(TEXTS[1:], 300)


def made(pooling: str, batch_tokens: int, longest: int = 50) -> torch.Tensor:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2
    )
    model = LlamaForCausalLM(config).eval()
    seen: list[int] = []
    vectors = text_vectors(model, language.vocabulary(WORDS), TEXTS, pooling, longest, batch_tokens, seen.append)
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
