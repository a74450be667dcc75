"""Linear maps that read one input, each with gated experts beside it: one autograd function of few launches.

Letters: B sequences, T positions, N = B T, I inputs, O outputs, R total rank, M maps, E experts.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class Fused(torch.autograd.Function):
    """y_m = W_m x + b_m + B_m (c * A_m x), c the scaled expert weights repeated over their R / E channels.

    Forward of one map: three products and one scaling, the wide product added into the narrow one's result. The A's of
    all maps are one product, and so are their gradients; dx is one buffer to which each map adds. Nothing of size
    [B, T, E, O] exists, the number of experts costs nothing, no gradient of W is computed and nothing of size N x O is
    kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,  # [B, T, I]
        channels: Tensor,  # [B, R] scaled expert weights
        factor: Tensor,  # [N, M R] the same for every token and map, in the dtype of x, without a gradient
        owner: Tensor | None,  # [B, N] 1 where a token is of a sequence, for packed sequences
        keep: Tensor | None,  # [N, M R] dropout mask, already divided by the share kept
        a: Tensor,  # [I, M R]
        maps: int,  # M
        *tensors: Tensor | None,  # M times [O, R], then M frozen weights [O, I], then M frozen biases [O] or None
    ) -> tuple[Tensor, ...]:  # M times [B, T, O]
        bs, weights, biases = tensors[:maps], tensors[maps : 2 * maps], tensors[2 * maps :]
        flat = x.reshape(-1, x.shape[-1])
        low = flat.mm(a)  # [N, M R]
        if keep is not None:
            low = low.mul_(keep)
        mixed = low.mul(factor)
        found = []
        for part, b, weight, bias in zip(_parts(mixed, maps), bs, weights, biases, strict=True):
            assert b is not None and weight is not None
            y = part.mm(b.t()) if bias is None else torch.addmm(bias, part, b.t())
            found.append(y.addmm_(flat, weight.t()).view(*x.shape[:-1], -1))
        ctx.save_for_backward(flat, low, mixed, factor, owner, keep, a, *bs, *weights)
        ctx.shape, ctx.maps, ctx.channels_dtype = x.shape, maps, channels.dtype
        ctx.set_materialize_grads(False)
        return tuple(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *dys: Tensor | None) -> tuple[Tensor | None, ...]:
        flat, low, mixed, factor, owner, keep, a, *tensors = ctx.saved_tensors
        maps, needs = ctx.maps, ctx.needs_input_grad
        bs, weights = tensors[:maps], tensors[maps:]
        used = [None if dy is None else dy.reshape(-1, dy.shape[-1]) for dy in dys]  # [N, O]
        shape = len(flat), factor.shape[1] // maps
        each = [factor.new_zeros(shape) if dy is None else dy.mm(b) for dy, b in zip(used, bs, strict=True)]  # [N, R]
        dmixed = each[0] if maps == 1 else torch.cat(each, dim=1)  # [N, M R]
        dbs = [
            dy.t().mm(part) if dy is not None and needed else None
            for dy, part, needed in zip(used, _parts(mixed, maps), needs[7 : 7 + maps], strict=True)
        ]
        dchannels = None
        if needs[1]:
            product = dmixed.mul(low)
            product = (
                product.view(ctx.shape[0], -1, shape[1])
                if owner is None
                else owner.mm(product).view(-1, maps, shape[1])
            )
            dchannels = product.sum(dim=1, dtype=ctx.channels_dtype)
        dlow = dmixed.mul_(factor)
        if keep is not None:
            dlow = dlow.mul_(keep)
        da = dlow.t().mm(flat).t() if needs[5] else None
        dx = None
        if needs[0]:
            dx = dlow.mm(a.t())
            for dy, weight in zip(used, weights, strict=True):
                if dy is not None:
                    dx.addmm_(dy, weight)
            dx = dx.view(ctx.shape)
        return dx, dchannels, None, None, None, da, None, *dbs, *(None,) * (2 * maps)


def plain(
    x: Tensor,  # [B, T, I]
    channels: Tensor,  # [B, R]
    owner: Tensor | None,  # [B, N]
    keep: Tensor | None,  # [N, R]
    a: Tensor,  # [R, I]
    b: Tensor,  # [O, R]
    weight: Tensor,
    bias: Tensor | None,
) -> Tensor:  # [B, T, O]
    """The same for one map as differentiable operations, which a compiler fuses as it likes."""
    low = F.linear(x, a.to(x.dtype))
    if keep is not None:
        low = low * keep.view_as(low)
    return F.linear(x, weight, bias) + F.linear(scaled(low, channels, owner), b.to(x.dtype))


def scaled(low: Tensor, channels: Tensor, owner: Tensor | None) -> Tensor:  # [B, T, R] or [1, N, R], [B, R], [B, N]
    """``low`` times its sequence's channels."""
    channels = channels.to(low.dtype)
    return low * (channels[:, None] if owner is None else (owner.t() @ channels)[None])


class Copies(torch.autograd.Function):
    """The experts of all layers in the dtype of their frozen maps: one launch for many, and one for their gradients.

    The A's of maps that share their input come side by side, [I, M R]; a B stays [O, R].
    """

    @staticmethod
    def forward(
        ctx: Any,
        maps: Sequence[int],  # M of each group
        dtypes: Sequence[torch.dtype],  # of each group's copies
        *parameters: Tensor,  # of each group its A's [R, I], then its B's [O, R]
    ) -> tuple[Tensor, ...]:  # of each group its A's [I, M R], then its B's
        found, targets, at = [], [], 0
        for count, dtype in zip(maps, dtypes, strict=True):
            first = parameters[at]
            stacked = torch.empty(count * len(first), first.shape[1], dtype=dtype, device=first.device)
            bs = [torch.empty_like(b, dtype=dtype) for b in parameters[at + count : at + 2 * count]]
            targets += [*_rows(stacked, count), *bs]
            found += [stacked.t(), *bs]
            at += 2 * count
        torch._foreach_copy_(targets, list(parameters))
        ctx.maps, ctx.kinds = maps, [parameter.dtype for parameter in parameters]
        ctx.set_materialize_grads(False)
        return tuple(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        grads: list[Tensor | None] = []
        at = 0
        for count in ctx.maps:
            stacked = given[at]
            grads += [None] * count if stacked is None else _rows(stacked.t(), count)
            grads += given[at + 1 : at + 1 + count]
            at += 1 + count
        other = [k for k, grad in enumerate(grads) if grad is not None and grad.dtype != ctx.kinds[k]]
        if other:
            sources = [grad for k in other if (grad := grads[k]) is not None]
            targets = [torch.empty_like(grad, dtype=ctx.kinds[k]) for k, grad in zip(other, sources, strict=True)]
            torch._foreach_copy_(targets, sources)
            for k, target in zip(other, targets, strict=True):
                grads[k] = target
        return None, None, *grads


def _parts(wide: Tensor, maps: int) -> Sequence[Tensor]:  # [N, M R] -> M times [N, R]
    return (wide,) if maps == 1 else torch.split(wide, wide.shape[1] // maps, dim=1)


def _rows(stacked: Tensor, maps: int) -> Sequence[Tensor]:  # [M R, I] -> M times [R, I]
    return (stacked,) if maps == 1 else torch.split(stacked, len(stacked) // maps)
