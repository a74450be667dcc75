"""Item vectors put into the language model's input.

Letters: B prompts, T tokens, S slots of the batch, D item width, H width of the language model.
"""

import torch
from torch import Tensor, nn


class Projector(nn.Module):
    """Linear(D, H), exact GELU, Linear(H, H), times a fixed scale (REFERENCE c.3; there the scale is 1).

    Token embeddings of some models are far larger or smaller than what a new map gives: ``match`` sets the scale.
    """

    def __init__(self, width: int, model_width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, model_width)
        self.outer = nn.Linear(model_width, model_width)
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(()))

    def forward(self, vectors: Tensor) -> Tensor:  # [S, D] -> [S, H]
        result: Tensor = self.outer(nn.functional.gelu(self.inner(vectors))) * self.scale
        return result

    @torch.no_grad()
    def match(self, vectors: Tensor, embeddings: Tensor) -> None:  # [n, D], [k, H]
        """Sets the scale so that projected ``vectors`` are as large as ``embeddings``, by root mean square."""
        self.scale.fill_(1.0)
        projected = self.forward(vectors)
        self.scale.copy_(embeddings.float().square().mean().sqrt() / projected.square().mean().sqrt().clamp(min=1e-12))


def inject(embeddings: Tensor, slots: Tensor, vectors: Tensor) -> Tensor:
    """``embeddings`` [B, T, H] with the rows ``slots`` [S] of their flat view [B T, H] replaced by ``vectors`` [S, H]."""
    flat = embeddings.reshape(-1, embeddings.shape[-1])
    return flat.index_copy(0, slots, vectors.to(flat.dtype)).view_as(embeddings)
