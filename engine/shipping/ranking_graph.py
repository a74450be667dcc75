"""A trained student as one graph: padded histories to the best items, with what was seen masked.

Letters: B histories, T length of the longest, L columns of the grid, D width of a user vector, n items, K list length.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.data.ids import PADDING
from engine.shipping.vectors import user_vector, vector_table
from engine.student.caser import Caser
from engine.student.model import SequenceModel
from engine.student.packed_sequences import dense

INPUTS = ("history",)
OUTPUTS = ("items", "scores", "user_vectors")


class RankingGraph(nn.Module):
    """Item ids of histories to the ``count`` best items, their scores, and the user's vector.

    Made of operations that have a counterpart in ONNX; ``engine.recommend`` ranks the same.
    """

    def __init__(self, model: SequenceModel, count: int, hide_seen: bool) -> None:
        super().__init__()
        self.model, self.count, self.hide_seen = model, min(count, model.items), hide_seen
        self.fixed = isinstance(model.network, Caser)  # it reads so many slots, however short the history is

    def forward(self, history: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # [B, T] -> [B, K], [B, K], [B, D]
        """Best items first; 0 with a score of minus infinity where no item is left. Padding (0) may stand anywhere."""
        grid, lengths = self._latest(history)
        rows, columns = grid.shape
        states = self.model.encode(grid.reshape(-1), dense(rows, columns, grid.device)).view(rows, columns, -1)
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
        users = user_vector(self.model, states.gather(1, last)[:, 0] * (lengths > 0)[:, None])
        hidden = history if self.hide_seen else torch.zeros_like(history)
        hidden = F.pad(hidden, (1, 0), value=PADDING)  # the padding is never recommended
        scores = (users @ vector_table(self.model).T).scatter(1, hidden, -torch.inf)
        values, items = scores.topk(self.count, dim=1)
        return torch.where(values == -torch.inf, PADDING, items), values, users

    def _latest(self, history: Tensor) -> tuple[Tensor, Tensor]:  # [B, T] -> [B, L], [B]
        """The latest items of each history from column 0 on, and how many they are."""
        longest = self.model.max_length
        real = history != PADDING
        lengths = real.sum(dim=1)
        order = real.cumsum(dim=1) - 1 - (lengths - longest).clamp(min=0)[:, None]
        kept = real & (order >= 0)
        # A column more than there are, which takes what is not kept and is cut off.
        wide = history.new_zeros(len(history), longest + 1) if self.fixed else torch.zeros_like(F.pad(history, (0, 1)))
        outside = wide.shape[1] - 1
        grid = wide.scatter(1, torch.where(kept, order, outside), torch.where(kept, history, PADDING))
        return grid[:, :outside][:, :longest], lengths.clamp(max=longest)
