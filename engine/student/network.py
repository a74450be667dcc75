"""What every network of a student has: item vectors that are read, vectors and biases that score, parameter groups.

Letters: D width, n items.
"""

import torch
from torch import Tensor, nn

from engine.config.settings.student import StudentSettings
from engine.data.ids import PADDING, rows
from engine.student.dropout import Dropout, RandomStream


class Network(nn.Module):
    """forward(items [P], packed, inputs [n + 1, D]) -> states [P, S]; untied output unless a subclass ties it."""

    output: nn.Parameter  # [n + 1, S]
    bias: nn.Parameter  # [n + 1]

    def __init__(self, items: int, settings: StudentSettings, stream: RandomStream) -> None:
        super().__init__()
        self.dropout = Dropout(settings.dropout, stream)
        self.table = nn.Parameter(torch.randn(rows(items), settings.hidden) * settings.initial)
        self.positions: nn.Parameter | None = None

    def untied_output(self, items: int, width: int) -> None:
        """Vectors and biases that score a state, drawn as ``nn.Linear`` draws them, the padding's zero."""
        linear = nn.Linear(width, rows(items))
        with torch.no_grad():
            linear.weight[PADDING] = 0.0
            linear.bias[PADDING] = 0.0
        self.output, self.bias = nn.Parameter(linear.weight), nn.Parameter(linear.bias)

    def inputs(self) -> Tensor:  # [n + 1, D]
        return self.table

    def outputs(self) -> tuple[Tensor, Tensor | None]:  # [n + 1, S], [n + 1]
        return self.output, self.bias

    def output_group(self) -> list[nn.Parameter]:
        return [self.output, self.bias]

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters by the stage table's groups; a tied table counts as embedding."""
        embedding = [self.table] if self.positions is None else [self.table, self.positions]
        output = self.output_group()
        named = {id(parameter) for parameter in embedding + output}
        blocks = [parameter for parameter in self.parameters() if id(parameter) not in named]
        return {"embedding": embedding, "blocks": blocks, "output": output}
