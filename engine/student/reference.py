"""SASRec in the layout that DROS, LLaRA, iLoRA and DLLM2Rec share: one block, one head, untied output with bias.

Its oddities are kept, because published weights were trained with them: queries alone are normalised, the residual is
the normalised query, scores are divided by sqrt(D) of the whole width, and a vector that sums to exactly zero counts as
padding. Letters: B histories, T length of the longest, P real positions, D width, n items.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.settings.student import StudentSettings
from engine.student.dropout import RandomStream
from engine.student.network import Network
from engine.student.packed_sequences import PackedSequences


class Reference(Network):
    """z = drop(E + P); q = LN1 z; h = drop(softmax(Q q (K z)^T / sqrt D)) V z + q; f = LN2 h; LN3 LN(drop(W f) + f)."""

    def __init__(self, items: int, settings: StudentSettings, stream: RandomStream) -> None:
        super().__init__(items, settings, stream)
        hidden = settings.hidden
        self.positions = nn.Parameter(torch.randn(settings.max_length, hidden))
        self.norm_query, self.norm_attention, self.norm_last = (nn.LayerNorm(hidden) for _ in range(3))
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))
        self.wide, self.narrow = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.norm_feed = nn.LayerNorm(hidden)
        self.untied_output(items, hidden)

    def forward(self, items: Tensor, packed: PackedSequences, inputs: Tensor) -> Tensor:  # [P], [n + 1, D] -> [P, D]
        assert self.positions is not None
        z = self.dropout(F.embedding(items, inputs) + F.embedding(packed.order, self.positions))
        q = self.norm_query(z)
        f = self.norm_attention(self._attention(q, z, packed) + q)
        feed = self.narrow(F.relu(self.wide(f)))
        out: Tensor = self.norm_last(self.norm_feed(self.dropout.add(f, feed)))
        return out

    def _attention(self, q: Tensor, z: Tensor, packed: PackedSequences) -> Tensor:  # [P, D] twice -> [P, D]
        queries, keys = packed.grid(q), packed.grid(z)
        scores = self.query(queries) @ self.key(keys).transpose(1, 2) / math.sqrt(q.shape[1])  # [B, T, T]
        future = torch.ones(packed.longest, packed.longest, dtype=torch.bool, device=q.device).triu(1)
        hidden = future | (keys.sum(dim=2) == 0)[:, None, :]
        weights = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(dim=2)
        weights = self.dropout(weights * (queries.sum(dim=2) != 0)[:, :, None])
        return packed.flat(weights @ self.value(keys))
