"""Grounding of generated text: the items whose vectors lie nearest (BIGRec, REFERENCE d.1).

Letters: R rows, n items, H width of the vectors.
"""

import torch
from torch import Tensor

from engine.data.ids import PADDING


def distances(answers: Tensor, items: Tensor) -> Tensor:  # [R, H], [n, H] -> [R, n]
    """|v_r - e_i|, the vectors of generated texts against those of the items' titles."""
    return torch.cdist(answers, items, compute_mode="donot_use_mm_for_euclid_dist")


def spread(values: Tensor) -> Tensor:
    """Each row of [R, n], or a vector [n], brought to 0..1 by its least and greatest entry."""
    least, greatest = values.amin(dim=-1, keepdim=True), values.amax(dim=-1, keepdim=True)
    return (values - least) / (greatest - least).clamp(min=torch.finfo(values.dtype).tiny)


def adjusted(distance: Tensor, popularity: Tensor, gamma: float) -> Tensor:  # [R, n], [n] or [R, n] -> [R, n]
    """(1 + c)^-gamma d~ with d~ and c spread to 0..1: popular (or otherwise liked) items come nearer.

    With gamma 0 it is d~ alone, whose exp(-d~) is never uniform as that of raw distances is (REFERENCE f.3-41).
    """
    return (1 + spread(popularity)) ** -gamma * spread(distance)


def scores(answers: Tensor, items: Tensor, popularity: Tensor, gamma: float) -> Tensor:
    """Minus the adjusted distances, the padding minus infinity. [R, H], [n + 1, H], [n + 1] -> [R, n + 1].

    A row of zeros is no answer: all its items are equal.
    """
    found = answers.new_full((len(answers), len(items)), -torch.inf)
    nearness = -adjusted(distances(answers, items[PADDING + 1 :]), popularity[PADDING + 1 :], gamma)
    found[:, PADDING + 1 :] = nearness * (answers != 0).any(dim=1, keepdim=True)
    return found


def places(distance: Tensor) -> Tensor:  # [R, n] -> [R, n]
    """Place of every item in its row's order, 0 is the nearest; ties in the order of the items."""
    order = distance.argsort(dim=1, stable=True)
    return torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).expand_as(order))
