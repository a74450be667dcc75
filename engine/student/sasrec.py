"""SASRec in today's form: pre-norm blocks over flat positions, tied output, every position supervised.

Kang & McAuley 2018 with layer norm before each part; gated blocks as in LiGR.
Letters: B histories, T length of the longest, P real positions, D width, n items.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.settings.student import StudentSettings
from engine.data.ids import PADDING
from engine.student.attention import causal_attention
from engine.student.dropout import Dropout, RandomStream
from engine.student.linear import Linear
from engine.student.network import Network
from engine.student.packed_sequences import PackedSequences


class FeedForward(nn.Module):
    """W2 a(W1 x + b1) + b2, a = relu or gelu; swiglu: W2 (silu(u) * g) + b2 with (u, g) the halves of W1 x + b1."""

    def __init__(self, hidden: int, inner: int, activation: str, dropout: Dropout) -> None:
        super().__init__()
        self.activation, self.dropout = activation, dropout
        self.wide = Linear(hidden, 2 * inner if activation == "swiglu" else inner)
        self.narrow = Linear(inner, hidden)

    def forward(self, x: Tensor) -> Tensor:  # [P, D] -> [P, D]
        inner = self.wide(x)
        if self.activation == "swiglu":
            value, gate = inner.chunk(2, dim=1)
            inner = F.silu(value) * gate
        else:
            inner = F.relu(inner) if self.activation == "relu" else F.gelu(inner)
        out: Tensor = self.narrow(self.dropout(inner))
        return out


class Block(nn.Module):
    """x + drop(A(LN x)), then x + drop(F(LN x)); post: LN(x + drop(A x)); gated: each part times sigmoid(G x)."""

    def __init__(self, settings: StudentSettings, stream: RandomStream) -> None:
        super().__init__()
        assert settings.heads is not None and settings.feedforward is not None and settings.activation is not None
        hidden = settings.hidden
        self.heads, self.pre = settings.heads, settings.norm == "pre"
        self.dropout = Dropout(settings.dropout, stream)
        self.attention_dropout = Dropout(settings.attention_dropout or 0.0, stream)
        self.norm_attention, self.norm_feed = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.qkv, self.mix = Linear(hidden, 3 * hidden), Linear(hidden, hidden)
        self.feed = FeedForward(hidden, round(hidden * settings.feedforward), settings.activation, self.dropout)
        self.gates = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(2 if settings.gated else 0))

    def forward(self, x: Tensor, packed: PackedSequences) -> Tensor:  # [P, D] -> [P, D]
        part = self.norm_attention(x) if self.pre else x
        part = self.mix(causal_attention(self.qkv(part), packed, self.heads, self.attention_dropout))
        x = self._join(x, part, 0)
        if not self.pre:
            x = self.norm_attention(x)
        x = self._join(x, self.feed(self.norm_feed(x) if self.pre else x), 1)
        return x if self.pre else self.norm_feed(x)

    def _join(self, x: Tensor, part: Tensor, which: int) -> Tensor:
        gated = part * torch.sigmoid(self.gates[which](x)) if self.gates else part
        return self.dropout.add(x, gated)


class SASRec(Network):
    """Blocks over item and position vectors; the score of item i after a position is <state, table[i]>."""

    def __init__(self, items: int, settings: StudentSettings, stream: RandomStream) -> None:
        super().__init__(items, settings, stream)
        with torch.no_grad():
            self.table[PADDING] = 0.0
        if settings.positions == "learned":
            self.positions = nn.Parameter(torch.randn(settings.max_length, settings.hidden) * settings.initial)
        self.blocks = nn.ModuleList(Block(settings, stream) for _ in range(settings.blocks or 0))
        self.last_norm = nn.LayerNorm(settings.hidden) if settings.norm == "pre" else nn.Identity()

    def forward(self, items: Tensor, packed: PackedSequences, inputs: Tensor) -> Tensor:  # [P], [n + 1, D] -> [P, D]
        # The gradient sorts the ids; half as many bytes take half the passes.
        x = F.embedding(items if items.device.type == "cpu" else items.int(), inputs)
        if self.positions is not None:
            x = x + self._position_vectors(packed, self.positions)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, packed)
        normed: Tensor = self.last_norm(x)
        return normed

    def _position_vectors(self, packed: PackedSequences, table: Tensor) -> Tensor:  # [T', D] -> [P, D]
        if packed.cells is None:  # the gradient is a sum over rows, without looking positions up
            return table[: packed.longest].expand(packed.rows, -1, -1).reshape(-1, table.shape[1])
        return F.embedding(packed.order, table)

    def outputs(self) -> tuple[Tensor, Tensor | None]:  # [n + 1, D], no bias
        return self.table, None

    def output_group(self) -> list[nn.Parameter]:
        return list(self.last_norm.parameters())
