"""From the language model's states to a score for every item.

Letters: S positions, n items, D width of the student, H of the language model, K of the correction.
"""

import torch
from torch import Tensor, nn

from engine.data.ids import PADDING


class RankHead(nn.Module):
    """s_i = <u, e_i> + b_i + <W h, V t_i>: the frozen student's score, corrected by what the text says.

    u and e are the student's state and item table, h the language model's state, t_i item i's text vector (each of its
    numbers brought to mean 0 and variance 1 over the items). W starts at zero: an untrained teacher is the student, and
    training can only add what text and history tell. It is one product of wide vectors, [u, W h] with [e_i, V t_i].
    """

    def __init__(self, text: Tensor, hidden: int, width: int) -> None:
        """``text`` [n + 1, H'] are the items' text vectors, row 0 the padding's."""
        super().__init__()
        items = text[PADDING + 1 :]
        self.text: Tensor
        normal = (text - items.mean(dim=0)) / items.std(dim=0, correction=0).clamp(min=1e-6)
        normal[PADDING] = 0.0
        self.register_buffer("text", normal, persistent=False)
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.query = nn.Linear(hidden, width)
        self.keys = nn.Linear(text.shape[1], width, bias=False)
        nn.init.zeros_(self.query.weight)
        nn.init.zeros_(self.query.bias)

    def users(self, student: Tensor, states: Tensor) -> Tensor:  # [S, D], [S, H] -> [S, D + K]
        """[u, W h] of every position."""
        correction: Tensor = self.query(self.norm(states.float()))
        return torch.cat([student, correction], dim=1)

    def table(self, items: Tensor) -> Tensor:  # [n + 1, D] -> [n + 1, D + K]
        """[e_i, V t_i] of every item."""
        keys: Tensor = self.keys(self.text) / self.text.shape[1] ** 0.5
        return torch.cat([items, keys], dim=1)
