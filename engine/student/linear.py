"""Linear layers in a form that a GPU is fast at: small sums over all positions take as long there as products.

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


def after_norm(norm: nn.LayerNorm, layer: Linear, x: Tensor) -> Tensor:  # [P, I] -> [P, O]
    """layer(norm(x)): W (g * n + c) + b = (W g) n + (W c + b), so that the gradients of g and c need no sum over P."""
    if x.device.type == "cpu" or torch.compiler.is_compiling():
        out: Tensor = layer(norm(x))
        return out
    return merged_norm(norm, layer, x)


def merged_norm(norm: nn.LayerNorm, layer: Linear, x: Tensor) -> Tensor:  # [P, I] -> [P, O]
    """What ``after_norm`` computes on a GPU."""
    with torch.autocast(x.device.type, enabled=False):
        weight, bias = layer.weight * norm.weight, torch.addmv(layer.bias, layer.weight, norm.bias)
        normed = F.layer_norm(x.to(weight.dtype), norm.normalized_shape, eps=norm.eps)
    return linear(normed, weight, bias)


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
