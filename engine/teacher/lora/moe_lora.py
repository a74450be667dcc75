"""The mixture-of-experts LoRA layer of iLoRA (REFERENCE c.5). It knows no language model and no recommender.

Letters: B sequences, T positions, N = B T, I inputs, O outputs, R total rank, E experts.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from engine.errors import ConfigError
from engine.teacher.lora.routing import Routing


class _Fused(torch.autograd.Function):
    """y = W x + b + s B (g * A x) with both products added into one buffer, forward and backward.

    g repeats each expert's weight over its R / E channels, so nothing of size [B, T, E, O] exists and the number of
    experts costs nothing. No gradient of W is computed and nothing of size N x O is kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,  # [B, T, I]
        gate: Tensor,  # [B, E]
        a: Tensor,  # [R, I]
        b: Tensor,  # [O, R]
        keep: Tensor | None,  # [N, R] dropout mask, already divided by the share kept
        weight: Tensor,  # [O, I] frozen
        bias: Tensor | None,  # [O] frozen
        scale: float,
    ) -> Tensor:  # [B, T, O]
        rank, experts = len(a), gate.shape[1]
        flat = x.reshape(-1, x.shape[-1])
        a, scaled = a.to(x.dtype), (b * scale).to(x.dtype)
        channels = gate.to(x.dtype).repeat_interleave(rank // experts, dim=1)  # [B, R]
        low = flat @ a.T  # [N, R]
        if keep is not None:
            low = low * keep
        mixed = (low.view(len(x), -1, rank) * channels[:, None]).view(-1, rank)
        y = F.linear(flat, weight, bias)
        y.addmm_(mixed, scaled.T)
        ctx.save_for_backward(flat, low, channels, a, scaled, weight, keep)
        ctx.shape, ctx.experts, ctx.scale = x.shape, experts, scale
        ctx.dtypes = gate.dtype, b.dtype
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        flat, low, channels, a, scaled, weight, keep = ctx.saved_tensors
        batch, rank = len(channels), len(a)
        gate_dtype, adapter_dtype = ctx.dtypes
        dy = dy.reshape(-1, dy.shape[-1])
        dmixed = dy @ scaled  # [N, R]
        mixed = (low.view(batch, -1, rank) * channels[:, None]).view(-1, rank)
        db = (dy.T @ mixed).to(adapter_dtype) * ctx.scale if ctx.needs_input_grad[3] else None
        dgate = None
        if ctx.needs_input_grad[1]:
            dchannels = dmixed.float() * low.float() if low.dtype == torch.bfloat16 else dmixed * low
            dgate = dchannels.view(batch, -1, ctx.experts, rank // ctx.experts).sum(dim=(1, 3)).to(gate_dtype)
        dlow = (dmixed.view(batch, -1, rank) * channels[:, None]).view(-1, rank)
        if keep is not None:
            dlow = dlow * keep
        da = (dlow.T @ flat).to(adapter_dtype) if ctx.needs_input_grad[2] else None
        dx = None
        if ctx.needs_input_grad[0]:
            dx = dy @ weight
            dx.addmm_(dlow, a)
            dx = dx.view(ctx.shape)
        return dx, dgate, da, db, None, None, None, None


class MoELoRALinear(nn.Module):
    """y = W x + b + (alpha / (R / E)) sum_e g_e B_e A_e x, with W and b frozen (iLoRA's layer, REFERENCE c.5).

    A_e are R / E consecutive rows of ``lora_a``, B_e the same columns of ``lora_b``; g are the expert weights of the
    sequence. B starts at zero, so a new layer is the frozen layer. Departure: dropout falls on the R channels of A x
    instead of on x, which needs no mask as wide as the model.
    """

    def __init__(
        self, base: nn.Module, rank: int, experts: int, alpha: float, dropout: float, routing: Routing
    ) -> None:
        super().__init__()
        if rank % experts:
            raise ConfigError(
                f"a rank of {rank} cannot be shared by {experts} experts",
                location="teacher.lora.rank",
                remedy=f"Use a multiple of {experts}, such as teacher.lora.rank={max(1, rank // experts) * experts}.",
            )
        inputs, outputs = (int(getattr(base, name)) for name in ("in_features", "out_features"))
        device = next(base.parameters()).device
        self.base = base.requires_grad_(False)
        self.routing = routing
        self.scale = alpha / (rank // experts)
        self.dropout = dropout
        self.lora_a = nn.Parameter(torch.empty(rank, inputs, device=device))
        self.lora_b = nn.Parameter(torch.zeros(outputs, rank, device=device))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:  # [B, T, I] -> [B, T, O]
        if x.dim() != 3:
            raise ValueError(f"a layer with expert weights needs [batch, positions, width], not {list(x.shape)}")
        gate = self.routing.weights(len(x))
        if gate is None:
            return self.base(x)  # type: ignore[no-any-return]
        keep = None
        if self.training and self.dropout:
            keep = torch.empty(x.shape[0] * x.shape[1], len(self.lora_a), device=x.device, dtype=x.dtype)
            keep = keep.bernoulli_(1 - self.dropout).div_(1 - self.dropout)
        if type(self.base) is nn.Linear:
            x = x.to(self.base.weight.dtype)
            weight, bias = self.base.weight, self.base.bias
            with torch.autocast(x.device.type, enabled=False):
                fused: Callable[..., Tensor] = _Fused.apply
                return fused(x, gate, self.lora_a, self.lora_b, keep, weight, bias, self.scale)
        # A quantised layer has no plain weight: its own product, and the correction beside it.
        low = F.linear(x, self.lora_a.to(x.dtype))
        if keep is not None:
            low = low * keep.view_as(low)
        channels = gate.to(x.dtype).repeat_interleave(len(self.lora_a) // gate.shape[1], dim=1)
        correction = F.linear(low * channels[:, None], self.lora_b.to(x.dtype) * self.scale)
        return self.base(x) + correction  # type: ignore[no-any-return]


def adapt(
    model: nn.Module, targets: list[str], rank: int, experts: int, alpha: float, dropout: float, routing: Routing
) -> list[str]:
    """Puts a MoE-LoRA layer around every linear map of ``model`` whose last name is in ``targets``; returns the paths.

    "all" stands for every linear map there is. The model's own parameters are frozen.
    """
    linears = {path: module for path, module in model.named_modules() if _is_linear(module)}
    names = sorted({path.rpartition(".")[2] for path in linears})
    missing = [target for target in targets if target != "all" and target not in names]
    if missing or not linears:
        raise ConfigError(
            f"the language model has no linear map called {', '.join(map(repr, missing)) or 'anything'}",
            location="teacher.lora.targets",
            remedy=f"It has: {', '.join(names) or 'none'}; 'all' adapts each of them.",
        )
    model.requires_grad_(False)
    chosen = [path for path in linears if "all" in targets or path.rpartition(".")[2] in targets]
    for path in chosen:
        parent, _, name = path.rpartition(".")
        layer = MoELoRALinear(linears[path], rank, experts, alpha, dropout, routing)
        setattr(model.get_submodule(parent), name, layer)
    return chosen


def adapters(model: nn.Module) -> Iterator[tuple[str, MoELoRALinear]]:
    """The adapted layers of a model, with their paths."""
    return ((path, module) for path, module in model.named_modules() if isinstance(module, MoELoRALinear))


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (hasattr(module, "in_features") and hasattr(module, "out_features"))
