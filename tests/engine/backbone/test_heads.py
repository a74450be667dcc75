"""Logits of every supported family equal the model's own; another transform is refused."""

from typing import Any

import pytest
import torch
import transformers

from engine.backbone import heads
from engine.errors import UserError

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "pad_token_id": None,
}
FAMILIES = {
    "Llama": {},
    "Granite": {"logits_scaling": 8.0, "embedding_multiplier": 3.0},
    "Cohere": {"logit_scale": 0.0625},
    "Gemma2": {"num_key_value_heads": 2, "head_dim": 8, "query_pre_attn_scalar": 8, "final_logit_softcapping": 2.0},
}


def model(family: str, **more: Any) -> Any:
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**SIZES, **FAMILIES[family], **more)
    made = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    for weight in made.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.5)
    return made


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_logits_are_the_models_own(family: str) -> None:
    made = model(family)
    ids = torch.tensor([[3, 1, 4, 1, 5, 9]])
    states = made.base_model(inputs_embeds=made.get_input_embeddings()(ids)).last_hidden_state[0]
    torch.testing.assert_close(heads.logits(made, states), made(input_ids=ids).logits[0].float())
    heads.check(made, "folder")


@pytest.mark.parametrize("family", ["OPT", "GPTNeoX"])
def test_a_family_without_a_transform_passes_the_check(family: str) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}
    more = {"ffn_dim": 24, "word_embed_proj_dim": 8} if family == "OPT" else {"intermediate_size": 24}
    config = getattr(transformers, f"{family}Config")(**sizes, **more)
    heads.check(getattr(transformers, f"{family}ForCausalLM")(config).eval(), "folder")


def test_a_transform_that_is_not_known_is_refused_with_the_models_type() -> None:
    made = model("Granite")
    # A head that depends on the shape of the batch stands for a transform in a family's own forward.
    made.get_output_embeddings().register_forward_hook(lambda layer, given, scores: scores / len(given[0]))
    with pytest.raises(UserError) as error:
        heads.check(made, "folder")
    assert "granite" in error.value.cause and error.value.remedy


def test_a_model_that_reads_later_tokens_is_no_causal_one() -> None:
    torch.manual_seed(0)
    sizes: dict[str, int] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}
    config = transformers.BertConfig(**sizes, intermediate_size=24, initializer_range=1.0)
    made = transformers.AutoModelForCausalLM.from_config(config).eval()
    with pytest.raises(UserError, match="type bert is no causal language model"):
        heads.check(made, "folder")
