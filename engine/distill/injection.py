"""Collaborative embedding distillation (DLLM2Rec, REFERENCE d.3): a teacher's item vectors added to the student's.

x_i = E_i + weight * P(v_i): E is the student's own table, P a trained projector of the teacher's vectors v. All items
are projected once a step, not once per position. After training x is a plain table: serving costs nothing more.
Letters: n items, D width of the student's item vectors, H width of the teacher's.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.settings.distill import InjectionSettings
from engine.data.ids import PADDING
from engine.student.cold_items import ColdItems
from engine.student.model import SequenceModel


class Injection(nn.Module):
    """weight * P(v_i) for every item; the padding's row is never read."""

    vectors: Tensor

    def __init__(self, vectors: Tensor, hidden: int, settings: InjectionSettings) -> None:
        """``vectors`` [n + 1, H]; ``settings.standardise`` moves their mean to 0 and their mean square to 1."""
        super().__init__()
        self.weight = settings.weight
        items = torch.arange(len(vectors)) != PADDING
        vectors = vectors.float()
        if settings.standardise:
            vectors = vectors - vectors[items].mean(dim=0)
            vectors = vectors / vectors[items].square().mean().sqrt().clamp(min=torch.finfo(vectors.dtype).tiny)
        # Not persistent: knowledge is an input of the run, so checkpoints need not hold it.
        self.register_buffer("vectors", vectors * items[:, None], persistent=False)
        width, wide = vectors.shape[1], settings.hidden
        self.inner = nn.Sequential() if wide is None else nn.Sequential(nn.Linear(width, wide), nn.GELU())
        self.project = nn.Linear(wide or width, hidden)

    def forward(self) -> Tensor:  # -> [n + 1, D]
        # The weight scales the small matrix instead of the whole table.
        weight, bias = self.weight * self.project.weight, self.weight * self.project.bias
        return F.linear(self.inner(self.vectors), weight, bias)

    @torch.no_grad()
    def start_at(self, size: float) -> None:
        """Scales the projector so that its vectors have this root mean square, whatever the weight.

        The weight then says how fast they move.
        """
        added = self()[PADDING + 1 :].square().mean().sqrt().clamp(min=torch.finfo(torch.float32).tiny)
        for part in (self.project.weight, self.project.bias):
            part.mul_(size / added)


@torch.no_grad()
def without_own_vectors(model: SequenceModel, injection: Injection) -> None:
    """Leaves the projected vectors alone: whatever a model has for each item apart is 0 and not trained.

    They start in the size in which own vectors would.
    """
    own, (scored, bias) = model.network.inputs(), model.network.outputs()
    for part in (own, scored, bias):
        if part is not None:
            part.zero_().requires_grad_(False)
    injection.start_at(model.settings.initial)


def tables(model: SequenceModel, injection: Injection | None, into: str) -> tuple[Tensor, Tensor, Tensor | None]:
    """Item vectors to read [n + 1, D], to score with [n + 1, D'] and biases, with the projected vectors added."""
    own = model.network.inputs()
    table, bias = model.item_table()
    if injection is None:
        return own, table, bias
    added = injection()
    read, (scored, _) = own + added, model.network.outputs()
    if scored is own:
        table = read
    elif into == "both":
        table = scored + added
    else:
        return read, table, bias
    return read, F.normalize(table, dim=1) if model.settings.normalise else table, bias


@torch.no_grad()
def merged(
    model: SequenceModel, injection: Injection | None, into: str, cold: ColdItems | None = None
) -> SequenceModel:
    """A plain model, in eval mode, that gives the same scores without the injection, except of ``cold`` items."""
    plain = copy.deepcopy(model).eval()
    if injection is not None:
        added, read = injection(), plain.network.inputs()
        added[PADDING] = 0.0
        scored, _ = plain.network.outputs()
        read += added
        if into == "both" and scored is not read:
            scored += added
    if cold is not None:
        read, (scored, bias) = plain.network.inputs(), plain.network.outputs()
        cold.fill(read, None if scored is read else scored, bias)
    return plain
