"""A linear layer whose gradient is two products on a GPU, not two products and a sum.

Letters: P positions, I inputs, O outputs.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_ONES = 8  # columns, because tensor cores load eight numbers together


class Linear(nn.Linear):
    """W x + b with ``nn.Linear``'s parameters; ``torch.compile`` gets the plain form, which it fuses."""

    def forward(self, x: Tensor) -> Tensor:  # [P, I] -> [P, O]
        if x.device.type == "cpu" or torch.compiler.is_compiling():
            return super().forward(x)
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:  # [P, I], [O, I], [O] -> [P, O]
    """W x + b, in the type that autocast asks for."""
    kind = x.device.type
    narrow = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
    with torch.autocast(kind, enabled=False):
        out: Tensor = _Linear.apply(x.to(narrow), weight.to(narrow), bias.to(narrow))  # type: ignore[no-untyped-call]
    return out


class _Linear(torch.autograd.Function):
    """b's gradient is a column of the product that gives W's, with ones beside x: a sum over P of its own is slower."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.linear(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        both = grad.T @ F.pad(x, (0, _ONES), value=1.0)  # [O, I + 8]
        return grad @ weight, both[:, :-_ONES], both[:, -1]
