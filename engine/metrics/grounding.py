"""Grounding of generated text: the items whose title vectors are nearest (BIGRec, REFERENCE d.1).

Letters: R rows, n items, H width of the vectors. Row and column 0 are the padding.
"""

import torch
from torch import Tensor


def distances(answers: Tensor, items: Tensor) -> Tensor:  # [R, H], [n, H] -> [R, n]
    """|v_r - e_i|, the vectors of generated texts against those of the items' titles."""
    return torch.cdist(answers, items, compute_mode="donot_use_mm_for_euclid_dist")


def spread(values: Tensor) -> Tensor:
    """Each row of [R, n], or a vector [n], brought to 0..1 by its least and greatest entry."""
    least, greatest = values.amin(dim=-1, keepdim=True), values.amax(dim=-1, keepdim=True)
    return (values - least) / (greatest - least).clamp(min=torch.finfo(values.dtype).tiny)


def adjusted(distance: Tensor, popularity: Tensor, gamma: float) -> Tensor:  # [R, n], [n] or [R, n] -> [R, n]
    """(1 + c)^-gamma d~ with d~ and c spread to 0..1: popular items come nearer.

    With gamma 0 it is d~ alone, whose exp(-d~) is never uniform as that of raw distances is (REFERENCE f.3-41).
    """
    return (1 + spread(popularity)) ** -gamma * spread(distance)


def scores(answers: Tensor, items: Tensor, popularity: Tensor, gamma: float) -> Tensor:
    """Minus the adjusted distances, the padding minus infinity. [R, H], [n + 1, H], [n + 1] -> [R, n + 1].

    A row of zeros is no answer: all its items are equal.
    """
    found = answers.new_full((len(answers), len(items)), -torch.inf)
    nearness = -adjusted(distances(answers, items[1:]), popularity[1:], gamma)
    found[:, 1:] = nearness * (answers != 0).any(dim=1, keepdim=True)
    return found
