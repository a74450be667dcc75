"""GRU4Rec: one recurrent layer over the item vectors, untied output with bias (Hidasi et al. 2016, as DLLM2Rec has it).

Letters: B histories, T length of the longest, P real positions, D width, n items.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.settings.student import StudentSettings
from engine.student.dropout import RandomStream
from engine.student.network import Network
from engine.student.packed_sequences import PackedSequences


class GRU4Rec(Network):
    """h_t = GRU(drop(e_t), h_(t-1)), h_0 = 0; the state is h_t."""

    def __init__(self, items: int, settings: StudentSettings, stream: RandomStream) -> None:
        super().__init__(items, settings, stream)
        self.gru = nn.GRU(settings.hidden, settings.hidden, batch_first=True)
        self.untied_output(items, settings.hidden)

    def forward(self, items: Tensor, packed: PackedSequences, inputs: Tensor) -> Tensor:  # [P], [n + 1, D] -> [P, D]
        # Padding stands on the right, so what the recurrence makes of it reaches no real position.
        states, _ = self.gru(packed.grid(self.dropout(F.embedding(items, inputs))))
        return packed.flat(states)
