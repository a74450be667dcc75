"""Caser: convolutions over the last items as over an image (Tang & Wang 2018), without user vectors, as in DLLM2Rec.

Letters: P real positions, L slots (``max_length``), D width, F filters of each height, n items.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.settings.student import StudentSettings
from engine.student.dropout import RandomStream
from engine.student.network import Network
from engine.student.packed_sequences import PackedSequences


class Caser(Network):
    """state = drop([max_t relu(conv_h)_t for each height h; relu(sum_l w_l e_l + b)]), width F * heights + D.

    Every position reads the items up to itself from slot 0 on; later slots are zero.
    """

    def __init__(self, items: int, settings: StudentSettings, stream: RandomStream) -> None:
        super().__init__(items, settings, stream)
        assert settings.filters is not None and settings.heights is not None
        hidden, filters, self.slots = settings.hidden, settings.filters, settings.max_length
        self.horizontal = nn.ModuleList(nn.Conv1d(hidden, filters, height) for height in settings.heights)
        self.vertical = nn.Linear(self.slots, 1)
        # Item vectors start small: a bias drawn below zero would silence all D outputs of this one filter, for good.
        nn.init.zeros_(self.vertical.bias)
        self.untied_output(items, filters * len(settings.heights) + hidden)

    def forward(
        self, items: Tensor, packed: PackedSequences, inputs: Tensor
    ) -> Tensor:  # [P], [n + 1, D] -> [P, F.. + D]
        slots = torch.arange(self.slots, device=items.device)
        first = torch.arange(len(items), device=items.device) - packed.order  # where the position's history begins
        known = slots <= packed.order[:, None]  # [P, L]
        sources = torch.where(known, first[:, None] + slots, first[:, None])
        image = F.embedding(items[sources], inputs) * known[:, :, None]  # [P, L, D]
        turned = image.transpose(1, 2)  # [P, D, L]
        parts = [F.relu(convolution(turned)).amax(dim=2) for convolution in self.horizontal]
        parts.append(F.relu(self.vertical(turned)[:, :, 0]))
        out: Tensor = self.dropout(torch.cat(parts, dim=1))
        return out
