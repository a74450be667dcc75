"""From the language model's states and the items' text vectors to a score for every item.

Letters: Q prompts, L items of a history, P positions, n items, D width of the student, H of the language model,
H' of a text vector, K of both corrections, K' of one of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.ids import PADDING

WINDOWS = (1, 3, 8, None)  # latest items whose mean text vector is read; None: all that the prompt shows


@dataclass(frozen=True)
class VisibleHistory:
    """The items shown before each position's target."""

    history: Tensor  # [Q, L] item ids, padding on the right
    prompt: Tensor  # [P]
    count: Tensor  # [P] items of that prompt's history that stand before the target


def part_weights(student_weight: Tensor, lm_weight: Tensor) -> Tensor:  # [...], [...] -> [..., 3]
    """(a, w, w c): the weights of the student's score, the text's and the language model's.

    ``student_weight`` is the student's share: a : w = share : 1 - share, the larger of them 1, so that scores keep
    their scale, and their softmax its sharpness, from text alone (0) over both in full (0.5) to the student alone (1).
    """
    larger = torch.maximum(student_weight, 1 - student_weight)
    text = (1 - student_weight) / larger
    return torch.stack([student_weight / larger, text, text * lm_weight], dim=-1)


class RankHead(nn.Module):
    """s_i = a <u, e_i> + b_i + w (<W m, V t_i> + c <R h, U t_i>): the frozen student's score, corrected by text.

    u and e are the student's state and item table, t_i item i's text vector (each coordinate standardised over the
    items), m = [m_1, m_3, m_8, m_all], m_k the mean text vector of the k latest items, h the language model's state. W
    and R start at zero, a and w at 1: an untrained teacher is the student. The score is one product of wide vectors,
    the queries [a u, W m, R h] and the keys [e_i, w V t_i, w c U t_i]. a and w follow from ``student_weight``, c is
    ``lm_weight``: both are buffers chosen on validation rows and not trained, because training rows, on which the
    parts were fitted, would overrate them.
    """

    def __init__(self, text: Tensor, hidden: int, width: int, dropout: float, states: bool) -> None:
        """``text`` [n + 1, H']: the items' text vectors, row 0 the padding's; without ``states`` h is left out."""
        super().__init__()
        items = text[PADDING + 1 :]
        self.text: Tensor
        self.student_weight: Tensor
        self.lm_weight: Tensor
        normal = (text - items.mean(dim=0)) / items.std(dim=0, correction=0).clamp(min=1e-6)
        normal[PADDING] = 0.0
        self.register_buffer("text", normal, persistent=False)
        self.register_buffer("student_weight", torch.full((), 0.5))
        self.register_buffer("lm_weight", torch.ones(()))
        self.dropout, self.states = dropout, states
        self.query = nn.Linear(len(WINDOWS) * text.shape[1], width)
        self.keys = nn.Linear(text.shape[1], width, bias=False)
        nn.init.zeros_(self.query.weight)
        nn.init.zeros_(self.query.bias)
        if states:
            self.read = nn.Linear(hidden, width, bias=False)
            self.answers = nn.Linear(text.shape[1], width, bias=False)
            nn.init.zeros_(self.read.weight)

    @property
    def width(self) -> int:
        """K, of both corrections together."""
        return self.query.out_features * (1 + self.states)

    def freeze_text(self) -> None:
        """Fixes W and V: what is trained from now on can only add to what text alone achieves."""
        self.query.requires_grad_(False)
        self.keys.requires_grad_(False)

    def queries(self, student: Tensor, states: Tensor | None, visible: VisibleHistory) -> Tensor:  # -> [P, D + K]
        """[a u, W m, R h] of every position, from the student's states [P, D] and the language model's [P, H].

        The latter are not read by a head without ``states``.
        """
        parts = [student * part_weights(self.student_weight, self.lm_weight)[0], self.text_queries(visible)]
        if self.states:
            assert states is not None
            parts.append(self.read(self._dropped(_normal(states.to(self.read.weight.dtype)))))
        return torch.cat(parts, dim=1)

    def text_queries(self, visible: VisibleHistory) -> Tensor:  # -> [P, K']
        """W m, the part of a query that needs no language model."""
        queries: Tensor = self.query(self._dropped(_normal(self.means(visible)).flatten(start_dim=1)))
        return queries

    def means(self, visible: VisibleHistory) -> Tensor:  # -> [P, 4, H']
        """Mean text vector of the latest items before each position's target, for every window."""
        prompt, count = visible.prompt, visible.count
        sums = F.pad(self.text[visible.history].cumsum(dim=1), (0, 0, 1, 0))  # [Q, L + 1, H']
        found = []
        for window in WINDOWS:
            before = (count - window).clamp(min=0) if window else torch.zeros_like(count)
            total = sums[prompt, count] - sums[prompt, before]
            found.append(total / (count - before).clamp(min=1)[:, None])
        return torch.stack(found, dim=1)

    def table(self, items: Tensor) -> Tensor:  # [n + 1, D] -> [n + 1, D + K]
        """[e_i, w V t_i, w c U t_i] of every item."""
        text = part_weights(self.student_weight, self.lm_weight)[1]
        return torch.cat([items, self.item_keys(self.lm_weight) * text], dim=1)

    def item_keys(self, lm_weight: Tensor | float) -> Tensor:  # -> [n + 1, K]
        """[V t_i, c U t_i] of every item, with ``lm_weight`` for c."""
        parts = [self.keys(self.text)]
        if self.states:
            parts.append(self.answers(self.text) * lm_weight)
        return torch.cat(parts, dim=1)

    def _dropped(self, read: Tensor) -> Tensor:
        return F.dropout(read, self.dropout, self.training)


def _normal(vectors: Tensor) -> Tensor:
    return F.layer_norm(vectors, vectors.shape[-1:])
