"""How much each term of the loss moves what it reaches."""

import torch
from torch import Tensor

from engine.training.processes import Processes


def shares(terms: dict[str, Tensor], reached: tuple[Tensor, Tensor], processes: Processes) -> dict[str, Tensor]:
    """|g_t| / sum_t' |g_t'|, g_t the gradient of a weighted term with respect to states [P, D] and scores' table.

    Where several processes share the batch, each has the gradient of its own states and a part of the table's.
    """
    norms = []
    if not terms:
        return {}
    for value in terms.values():
        found = torch.autograd.grad(value, reached, retain_graph=True, allow_unused=True)
        of_states, of_table = (None if part is None else part.float() for part in found)
        squares = [] if of_states is None else [processes.total(of_states.square().sum())]
        squares += [] if of_table is None else [processes.total(of_table).square().sum()]
        norms.append(torch.stack(squares).sum().sqrt())
    whole = torch.stack(norms).sum().clamp(min=torch.finfo(torch.float32).tiny)
    return {name: norm / whole for name, norm in zip(terms, norms, strict=True)}
