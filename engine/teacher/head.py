"""From the language model's states and the items' text vectors to a score for every item.

Letters: Q questions, L places of a history, P positions, n items, D width of the student, H of the language model,
H' of a text vector, K of the corrections, K' of one of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.ids import PADDING

WINDOWS = (1, 3, 8, None)  # latest items whose mean text is read; None: all that the prompt shows


@dataclass(frozen=True)
class Seen:
    """What was shown before each position."""

    history: Tensor  # [Q, L] item ids, padding on the right
    question: Tensor  # [P]
    count: Tensor  # [P] items of that question's history that the position may see


def weights(trust: Tensor, voice: Tensor) -> Tensor:  # [...], [...] -> [..., 3]
    """(a, w, w c): what the student's score, the text's and the language model's count for.

    ``trust`` is the student's share, a : w = trust : 1 - trust, the larger of them 1, so that scores keep their scale,
    and with it what their softmax means, all the way from text alone (0) over both in full (0.5) to the student (1).
    """
    larger = torch.maximum(trust, 1 - trust)
    text = (1 - trust) / larger
    return torch.stack([trust / larger, text, text * voice], dim=-1)


class RankHead(nn.Module):
    """s_i = a <u, e_i> + b_i + w (<W m, V t_i> + c <R h, U t_i>): the frozen student's score, corrected by text.

    u and e are the student's state and item table, t_i item i's text vector (each of its numbers brought to mean 0 and
    variance 1 over the items), m = [m_1, m_3, m_8, m_all], m_k the mean text of the k latest items, h the language
    model's state. W and R start at zero, a and w at 1: an untrained teacher is the student. It is one product of wide
    vectors, [a u, W m, R h] with [e_i, w V t_i, w c U t_i]. The trust, from which a and w follow, and the voice c are
    settings, not weights: on rows that they were trained on, scores are better than they ever are on new ones, so
    training would trust them too much. They are chosen on validation rows.
    """

    def __init__(self, text: Tensor, hidden: int, width: int, dropout: float, states: bool) -> None:
        """``text`` [n + 1, H'] are the items' text vectors, row 0 the padding's; without ``states`` h is left out."""
        super().__init__()
        items = text[PADDING + 1 :]
        self.text: Tensor
        self.trust: Tensor
        self.voice: Tensor
        normal = (text - items.mean(dim=0)) / items.std(dim=0, correction=0).clamp(min=1e-6)
        normal[PADDING] = 0.0
        self.register_buffer("text", normal, persistent=False)
        self.register_buffer("trust", torch.full((), 0.5))
        self.register_buffer("voice", torch.ones(()))
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

    def settle(self) -> None:
        """W and V stay as they are from here on: what is trained now can only add to what text alone knows."""
        self.query.requires_grad_(False)
        self.keys.requires_grad_(False)

    def users(self, student: Tensor, states: Tensor, seen: Seen) -> Tensor:  # [P, D], [P, H] -> [P, D + K]
        """[a u, W m, R h] of every position."""
        parts = [student * weights(self.trust, self.voice)[0], self.told(seen)]
        if self.states:
            parts.append(self.read(self._thinned(_normal(states.to(self.read.weight.dtype)))))
        return torch.cat(parts, dim=1)

    def told(self, seen: Seen) -> Tensor:  # -> [P, K']
        """W m, the correction that needs no language model."""
        correction: Tensor = self.query(self._thinned(_normal(self.means(seen)).flatten(start_dim=1)))
        return correction

    def means(self, seen: Seen) -> Tensor:  # -> [P, 4, H']
        """Mean text of the latest items before each position, for every window."""
        sums = F.pad(self.text[seen.history].cumsum(dim=1), (0, 0, 1, 0))  # [Q, L + 1, H']
        found = []
        for window in WINDOWS:
            before = (seen.count - window).clamp(min=0) if window else torch.zeros_like(seen.count)
            total = sums[seen.question, seen.count] - sums[seen.question, before]
            found.append(total / (seen.count - before).clamp(min=1)[:, None])
        return torch.stack(found, dim=1)

    def table(self, items: Tensor) -> Tensor:  # [n + 1, D] -> [n + 1, D + K]
        """[e_i, w V t_i, w c U t_i] of every item."""
        return torch.cat([items, self.key(self.voice) * weights(self.trust, self.voice)[1]], dim=1)

    def key(self, voice: Tensor | float) -> Tensor:  # -> [n + 1, K]
        """What tells items apart beside the student's vectors: [V t_i, c U t_i] with ``voice`` for c."""
        parts = [self.keys(self.text)]
        if self.states:
            parts.append(self.answers(self.text) * voice)
        return torch.cat(parts, dim=1)

    def _thinned(self, read: Tensor) -> Tensor:
        return F.dropout(read, self.dropout, self.training)


def _normal(vectors: Tensor) -> Tensor:
    return F.layer_norm(vectors, vectors.shape[-1:])
