"""From last hidden states to the logits that the model's own ``forward`` gives.

Some families scale or cap their logits behind the output embeddings. Each transform here is named by the attribute of
the configuration that causes it; ``check`` compares the result with the model's own logits, so that a family with
another transform is refused instead of ranked by other numbers.
"""

from typing import Any

import torch
from torch import Tensor

from engine.errors import UserError

PROBE = 6  # tokens that the check reads
TOLERANCE = 0.01  # of the largest logit: bfloat16 rounds by 1/256
APART = 0.1  # of the largest state: what later tokens may change, as bfloat16 rounds anew in every block


def logits(model: Any, states: Tensor) -> Tensor:  # [N, H] -> [N, V]
    """Scores of the next token: z = W h + b, then z / logits_scaling (Granite), z * logit_scale (Cohere), and
    c tanh(z / c) with c = final_logit_softcapping (Gemma 2), each where the model's configuration has it."""
    scores: Tensor = model.get_output_embeddings()(states)
    config = model.config
    if divisor := getattr(config, "logits_scaling", None):
        scores = scores / divisor
    if factor := getattr(config, "logit_scale", None):
        scores = scores * factor
    if cap := getattr(config, "final_logit_softcapping", None):
        scores = cap * torch.tanh(scores / cap)
    return scores.float()


@torch.no_grad()
def check(model: Any, folder: str) -> None:
    """UserError where later tokens affect earlier states, or ``logits`` are not the model's own, on a few tokens."""
    ids = torch.arange(PROBE, device=model.get_input_embeddings().weight.device)[None]

    def states(tokens: Tensor) -> Tensor:  # [1, T] -> [T, H]
        embeddings = model.get_input_embeddings()(tokens)
        found: Tensor = model.base_model(inputs_embeds=embeddings, use_cache=False, return_dict=True).last_hidden_state
        return found[0]

    whole, half = states(ids), states(ids[:, : PROBE // 2])
    largest = whole.float().abs().max().clamp(min=1e-6)
    if float((whole[: len(half)] - half).float().abs().max() / largest) > APART:
        raise UserError(
            f"the model of type {model.config.model_type} is no causal language model: it reads later tokens too",
            location=folder,
            remedy="Take one that predicts the next token; sentence encoders give item vectors (backbone.text_model).",
        )
    ours, own = logits(model, whole), model(input_ids=ids, use_cache=False).logits[0].float()
    error = float((ours - own).abs().max() / own.abs().max().clamp(min=1e-6))
    if not error <= TOLERANCE:
        raise UserError(
            f"the model of type {model.config.model_type} transforms its logits in a way that is not supported "
            f"(they differ from the output embeddings' by {error:.1%} of the largest)",
            location=folder,
            remedy="Take a model of another family, for example Llama, Mistral, Qwen, Gemma, Granite, Cohere or OPT.",
        )
