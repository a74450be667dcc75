"""Item vectors in the language model's input.

Letters: B prompts, T tokens, S slots of the batch, D item width, H width of the language model.
"""

import torch
from torch import Tensor, nn


class Projector(nn.Module):
    """Linear(D, H), exact GELU, Linear(H, H) (REFERENCE c.3)."""

    def __init__(self, width: int, model_width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, model_width)
        self.outer = nn.Linear(model_width, model_width)

    def forward(self, vectors: Tensor) -> Tensor:  # [S, D] -> [S, H]
        result: Tensor = self.outer(nn.functional.gelu(self.inner(vectors)))
        return result

    @torch.no_grad()
    def start_at(self, embedding: Tensor) -> None:  # [H]
        """Maps every item to the embedding of its slot's token, so that training starts from the unchanged model.

        Departure from the published random start, whose vectors may be far larger or smaller than the model's own.
        """
        nn.init.zeros_(self.outer.weight)
        self.outer.bias.copy_(embedding)


def inject(embeddings: Tensor, slots: Tensor, vectors: Tensor) -> Tensor:
    """``embeddings`` [B, T, H] with rows ``slots`` [S] of their flat view [B T, H] replaced by ``vectors`` [S, H]."""
    flat = embeddings.reshape(-1, embeddings.shape[-1])
    return flat.index_copy(0, slots, vectors.to(flat.dtype)).view_as(embeddings)
