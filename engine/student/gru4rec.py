"""GRU4Rec: one recurrent layer over the item vectors, untied output with bias (Hidasi et al. 2016, as DLLM2Rec has it).

Letters: B histories, T length of the longest, P real positions, D width, n items.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.settings.student import StudentSettings
from engine.data.ids import rows
from engine.student.dropout import Dropout, RandomStream
from engine.student.packed_sequences import PackedSequences
from engine.student.reference import output_layer


class GRU4Rec(nn.Module):
    """h_t = GRU(drop(e_t), h_(t-1)), h_0 = 0; the state is h_t."""

    def __init__(self, items: int, settings: StudentSettings, stream: RandomStream) -> None:
        super().__init__()
        self.dropout = Dropout(settings.dropout, stream)
        self.table = nn.Parameter(torch.randn(rows(items), settings.hidden) * settings.initial)
        self.gru = nn.GRU(settings.hidden, settings.hidden, batch_first=True)
        self.output, self.bias = output_layer(items, settings.hidden)

    def forward(self, items: Tensor, packed: PackedSequences, inputs: Tensor) -> Tensor:  # [P], [n + 1, D] -> [P, D]
        # Padding stands on the right, so what the recurrence makes of it reaches no real position.
        states, _ = self.gru(packed.grid(self.dropout(F.embedding(items, inputs))))
        return packed.flat(states)

    def inputs(self) -> Tensor:  # [n + 1, D]
        return self.table

    def outputs(self) -> tuple[Tensor, Tensor | None]:  # [n + 1, D], [n + 1]
        return self.output, self.bias

    def groups(self) -> dict[str, list[nn.Parameter]]:
        return {"embedding": [self.table], "blocks": list(self.gru.parameters()), "output": [self.output, self.bias]}
