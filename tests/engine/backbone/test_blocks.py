"""The first blocks of a language model are the model as far as they go."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM

from engine.backbone import language
from engine.backbone.blocks import keep_first
from engine.backbone.tokenizer import train_tokenizer
from engine.errors import UserError

SIZES = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "vocab_size": 320}


def made(name: str) -> Any:
    torch.manual_seed(0)
    if name == "llama":
        return LlamaForCausalLM(LlamaConfig(intermediate_size=24, **SIZES)).eval()
    if name == "gemma":
        return Gemma3ForCausalLM(
            Gemma3TextConfig(
                intermediate_size=24,
                num_key_value_heads=1,
                head_dim=8,
                sliding_window=4,
                sliding_window_pattern=2,
                **SIZES,
            )
        ).eval()
    return OPTForCausalLM(OPTConfig(ffn_dim=24, word_embed_proj_dim=16, **SIZES)).eval()


@pytest.mark.parametrize("name", ["llama", "gemma", "opt"])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_the_last_state_is_the_normed_state_behind_the_last_kept_block(name: str, count: int) -> None:
    whole, cut = made(name), made(name)
    ids = torch.arange(9)[None] + 5
    behind: list[torch.Tensor] = []
    decoder = getattr(whole.base_model, "decoder", whole.base_model)
    decoder.layers[count - 1].register_forward_hook(
        lambda module, inputs, output: behind.append(output[0] if isinstance(output, tuple) else output)
    )
    embeddings = whole.get_input_embeddings()(ids)
    language.states(whole, embeddings)
    norm = decoder.final_layer_norm if name == "opt" else decoder.norm
    keep_first(cut, count, "here")
    torch.testing.assert_close(language.states(cut, embeddings), norm(behind[0]))
    assert cut.config.num_hidden_layers == count


def test_more_blocks_than_there_are_is_an_error_that_names_how_many() -> None:
    with pytest.raises(UserError, match="has 4 blocks, not 5") as found:
        keep_first(made("llama"), 5, "here")
    assert found.value.location == "backbone.blocks" and "at most 4" in found.value.remedy


def test_a_model_whose_blocks_are_not_one_stack_is_refused() -> None:
    model = made("llama")
    model.model.more = model.model.layers
    model.model.add_module("twice", torch.nn.ModuleList(made("llama").model.layers))
    with pytest.raises(UserError, match="2 stacks of 4"):
        keep_first(model, 2, "here")


@pytest.mark.parametrize("copied", [True, False])
def test_a_shortened_model_is_read_again_as_it_was(tmp_path: Path, copied: bool) -> None:
    words = train_tokenizer(["Iron Meadow", "Old Salt"], 300)
    language.save(made("gemma"), words, tmp_path / "whole")
    model, tokenizer = language.read(str(tmp_path / "whole"), torch.float32, "none", "cpu", blocks=3)
    if copied:
        language.save(model, tokenizer, tmp_path / "run")
    else:
        language.refer(tmp_path / "whole", tmp_path / "run", blocks=3)
    again, _ = language.load(tmp_path / "run", "32-true", "none", "cpu")
    ids = torch.arange(7)[None]
    embeddings = model.get_input_embeddings()(ids)
    assert torch.equal(language.states(again, embeddings), language.states(model, embeddings))
    assert again.config.num_hidden_layers == 3
