"""Full-softmax cross-entropy fused with the product of states and item table.

The [P, n + 1] scores never exist at once: a chunk of rows is scored, exponentiated in place, and turned into the
gradients of states and table while it is still in the cache. Nothing wide is divided: 1 / sum goes to the narrow side
of each product.
Letters: P positions, C rows of a chunk, D width, n items.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from engine.data.ids import PADDING

SCORES_AT_ONCE = {"cpu": 1 << 18, "cuda": 1 << 26}  # entries of a chunk; on a CPU they should stay in the cache
_ALIGNED = 8  # numbers of two bytes that a tensor core loads together
_FEWEST_ROWS = 64  # fewer rows make a product slow, however large the catalogue
_LARGEST_EXPONENT = 60.0  # below, exp needs no shift: sums and their inverses stay inside float32
_LN_2 = math.log(2.0)
_LOG2_E = 1.0 / _LN_2


def cross_entropy(
    states: Tensor, table: Tensor, targets: Tensor, bias: Tensor | None = None, weights: Tensor | None = None
) -> Tensor:
    """sum_p w_p [ log sum_{i=1..n} exp(s_pi) - s_p,target ],  s_pi = <states_p, table_i> + b_i.

    states [P, D], table [n + 1, D] with the padding in row 0, targets [P] item ids, bias [n + 1], weights [P] (1 where
    not given; a position of weight 0 may have any target). Divide by the number of positions for the mean.
    """
    if bias is not None:  # one more coordinate that is 1 in every state
        states = torch.cat([states, states.new_ones(len(states), 1)], dim=1)
        table = torch.cat([table, bias[:, None]], dim=1)
    kind = states.device.type
    narrow = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype
    with torch.autocast(kind, enabled=False):  # types are chosen here: products narrow, sums wide
        loss: Tensor = _CrossEntropy.apply(states.to(narrow), table, targets, weights)  # type: ignore[no-untyped-call]
    return loss


class _CrossEntropy(torch.autograd.Function):
    """Gradients are computed together with the loss, and scaled later."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        wide = torch.promote_types(table.dtype, torch.float32)
        backward = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        chunks = _in_cache if states.device.type == "cpu" else _in_few_passes
        total, grad_states, grad_table = chunks(states, table, targets, weights, wide, backward)
        if backward:
            ctx.save_for_backward(grad_states.to(states.dtype), grad_table.to(table.dtype))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_states, grad_table = ctx.saved_tensors
        return grad_states * grad, grad_table * grad, None, None


def _in_cache(
    states: Tensor, table: Tensor, targets: Tensor, weights: Tensor | None, wide: torch.dtype, backward: bool
) -> tuple[Tensor, Tensor, Tensor]:  # -> scalar, [P, D], [n + 1, D]
    """Loss and gradients on a CPU: many passes over a chunk that stays in the cache, with the fewest divisions."""
    narrow = table.to(states.dtype)
    grad_states, grad_table = torch.empty_like(states, dtype=wide), torch.zeros_like(table, dtype=wide)
    total = states.new_zeros((), dtype=wide)
    step = _rows_at_once(states, table)
    workspace = states.new_empty(min(step, len(states)), len(table), dtype=wide)
    shifted = _bound(states, table) > _LARGEST_EXPONENT
    for first in range(0, len(states), step):
        rows = slice(first, first + step)
        some, wanted = states[rows], targets[rows, None]
        # Scores in units of ln 2, because exp2 is twice as fast as exp.
        scores = _product(some * _LOG2_E, narrow.T, workspace[: len(some)])  # [C, n + 1]
        own = scores.gather(1, wanted)[:, 0]
        if shifted:
            scores[:, PADDING] = -torch.inf
            largest = scores.amax(dim=1)
            scores -= largest[:, None]
            own = own - largest
        scores.exp2_()[:, PADDING] = 0.0
        sums = scores.sum(dim=1)  # [C]
        losses = sums.log() - own * _LN_2
        weight = None if weights is None else weights[rows]
        total += (losses if weight is None else losses * weight).sum()
        if backward:
            scale = sums.reciprocal() if weight is None else weight / sums  # [C]
            part = scores.to(states.dtype)
            torch.mul(part @ narrow, scale[:, None], out=grad_states[rows])
            scaled = (some * scale[:, None]).to(states.dtype)
            if wide == states.dtype:
                grad_table.addmm_(part.T, scaled)
            else:  # a product in the narrow type cannot be added in the wide one
                grad_table += part.T @ scaled
    if backward:
        grad_states -= narrow[targets] if weights is None else narrow[targets] * weights[:, None]
        own_states = states if weights is None else states * weights[:, None]
        grad_table.index_add_(0, targets, own_states.to(wide), alpha=-1)
    return total, grad_states, grad_table


def _in_few_passes(
    states: Tensor, table: Tensor, targets: Tensor, weights: Tensor | None, wide: torch.dtype, backward: bool
) -> tuple[Tensor, Tensor, Tensor]:  # -> scalar, [P, D], [n + 1, D]
    """Loss and gradients on a GPU, where the passes over the scores are what takes time: one kernel is the softmax.

    The table gets rows of zeros up to a multiple of ``_ALIGNED``, without which products take three times as long. The
    target is part of the products, so equal inputs give equal gradients. A loss ends at 87, as float32 does.
    """
    items = len(table)
    narrow = F.pad(table.to(states.dtype), (0, 0, 0, -items % _ALIGNED))
    grad_states, grad_table = [], torch.zeros_like(narrow, dtype=wide)
    total = states.new_zeros((), dtype=wide)
    step = _rows_at_once(states, table)
    for first in range(0, len(states), step):
        rows = slice(first, first + step)
        some, wanted, weight = states[rows], targets[rows, None], None if weights is None else weights[rows, None]
        scores = _wide_product(some, narrow.T, wide)  # [C, n + 1 and more]
        scores[:, PADDING] = -torch.inf
        scores[:, items:] = -torch.inf
        shares = torch.softmax(scores, dim=1)
        own = shares.gather(1, wanted)
        losses = -own.clamp(min=torch.finfo(wide).tiny).log()
        total += (losses if weight is None else losses * weight).sum()
        if backward:
            part = shares.scatter_(1, wanted, own - 1.0).to(states.dtype)
            product = _wide_product(part, narrow, wide)
            grad_states.append(product if weight is None else product * weight)
            grad_table += _wide_product(part.T, some if weight is None else (some * weight).to(states.dtype), wide)
    return total, torch.cat(grad_states) if grad_states else states, grad_table[:items]


def _rows_at_once(states: Tensor, table: Tensor) -> int:
    return max(_FEWEST_ROWS, SCORES_AT_ONCE[states.device.type] // len(table))


def _product(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """left @ right in the type of ``out``, to which a CPU has to round the narrow result once."""
    return torch.mm(left, right, out=out) if left.dtype == out.dtype else out.copy_(left @ right)


def _wide_product(left: Tensor, right: Tensor, wide: torch.dtype) -> Tensor:
    """left @ right in a type that a GPU sums narrow products in anyway."""
    if left.device.type == "cuda" and left.dtype != wide:
        return torch.mm(left, right, out_dtype=wide)
    return (left @ right).to(wide)


def _bound(states: Tensor, table: Tensor) -> float:
    """No score is larger: |<s, t>| <= |s| |t|."""
    return float(states.norm(dim=1).amax() * table.norm(dim=1).amax()) if len(states) else 0.0
