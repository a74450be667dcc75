"""Gates: from a user's vector to the weights of the experts. Each looks at one user unless its docstring says so.

A new gate is a class and a case of ``make_gate`` here and a name in ``GATES`` of its settings: a test runs every name.

Letters: B users, D width of a user vector, E experts, C channels, P positions of the convolutions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.config.settings.teacher import GATES

_NOISE = 0.1  # standard deviation of the noisy gates (REFERENCE c.4)
_RESIDUAL_STAGES = ((16, 1), (32, 2), (64, 2))  # channels and first stride of the released router
_BLOCKS = 3  # residual blocks a stage


def make_gate(kind: str, width: int, experts: int, hidden: int, top: int, norm: str) -> nn.Module:
    """The gate called ``kind``: [B, D] user vectors -> [B, E] weights that sum to one."""
    match kind:
        case "softmax" | "dropout" | "noisy":
            noise, dropout = _NOISE * (kind == "noisy"), 0.1 * (kind == "dropout")
            return SoftmaxGate(nn.Linear(width, experts, bias=False), noise, dropout)
        case "mlp":
            layers = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, experts))
            return SoftmaxGate(layers, 0.0, 0.0)
        case "noisy_mlp":
            bare = (nn.Linear(width, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, experts, bias=False))
            return SoftmaxGate(nn.Sequential(*bare), _NOISE, 0.0)
        case "topk":
            return TopGate(width, experts, top)
        case "resnet1d":
            return ResNetGate(experts, norm)
        case "uniform":
            return UniformGate(experts)
    raise ValueError(f"no gate is called {kind!r}: there are {', '.join(GATES)}")


class SoftmaxGate(nn.Module):
    """softmax(f(u)); f is one linear map (the paper's gate) or a small network.

    In training, noise is added to f(u), or its entries are dropped. Departure: the released noisy gates are noisy in
    evaluation too, which would give one user two answers.
    """

    def __init__(self, scores: nn.Module, noise: float, dropout: float) -> None:
        super().__init__()
        self.scores, self.noise, self.dropout = scores, noise, dropout

    def forward(self, users: Tensor, noise: Tensor | None = None) -> Tensor:  # [B, D], [B, E] -> [B, E]
        scores = F.dropout(self.scores(users), self.dropout, self.training)
        if noise is None and self.noise and self.training:
            noise = torch.randn_like(scores)
        return torch.softmax(scores if noise is None else scores + self.noise * noise, dim=-1)


class TopGate(nn.Module):
    """The ``top`` largest of p = softmax(W u) go through a second softmax, the others are exactly zero.

    The second softmax is of the probabilities themselves, as released. With ``top`` = 1 its result is constant, so the
    gate would have no gradient.
    """

    def __init__(self, width: int, experts: int, top: int) -> None:
        super().__init__()
        self.scores, self.top = nn.Linear(width, experts, bias=False), top

    def forward(self, users: Tensor) -> Tensor:  # [B, D] -> [B, E]
        probabilities = torch.softmax(self.scores(users), dim=-1)
        kept, experts = probabilities.topk(self.top, dim=-1)
        return torch.zeros_like(probabilities).scatter(-1, experts, torch.softmax(kept, dim=-1))


class UniformGate(nn.Module):
    """1 / E for every expert and user: plain LoRA, the control of the gated one."""

    def __init__(self, experts: int) -> None:
        super().__init__()
        self.experts = experts

    def forward(self, users: Tensor) -> Tensor:  # [B, D] -> [B, E]
        return users.new_full((len(users), self.experts), 1 / self.experts)


class ResNetGate(nn.Module):
    """The released router: a residual network over the D numbers of a user vector seen as a signal of one channel.

    conv(1 -> 16), three stages of three residual blocks (16, 32, 64 channels, positions halved twice), mean over
    positions, linear map, softmax (REFERENCE c.4). ``norm`` "batch" is the released one, whose gate of a user depends
    on the other users of a training batch; "group" does not.
    """

    def __init__(self, experts: int, norm: str) -> None:
        super().__init__()
        first = _RESIDUAL_STAGES[0][0]
        self.conv1 = nn.Conv1d(1, first, 3, padding=1, bias=False)
        self.bn1 = _norm(norm, first)
        stages, channels = [], first
        for width, stride in _RESIDUAL_STAGES:
            blocks = [
                _Block(channels if k == 0 else width, width, stride if k == 0 else 1, norm) for k in range(_BLOCKS)
            ]
            stages.append(nn.Sequential(*blocks))
            channels = width
        self.layer1, self.layer2, self.layer3 = stages
        self.scores = nn.Linear(channels, experts)

    def forward(self, users: Tensor) -> Tensor:  # [B, D] -> [B, E]
        signal = F.relu(self.bn1(self.conv1(users[:, None])))  # [B, C, P]
        signal = self.layer3(self.layer2(self.layer1(signal)))
        return torch.softmax(self.scores(signal.mean(dim=2)), dim=-1)


class _Block(nn.Module):
    """relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)); the shortcut skips positions and pads channels."""

    def __init__(self, channels: int, width: int, stride: int, norm: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = _norm(norm, width)
        self.conv2 = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.bn2 = _norm(norm, width)
        self.stride, self.new = stride, width - channels

    def forward(self, signal: Tensor) -> Tensor:  # [B, C, P] -> [B, C', P / stride]
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(signal)))))
        before = self.new // 2
        return F.relu(inner + F.pad(signal[:, :, :: self.stride], (0, 0, before, self.new - before)))


def _norm(norm: str, channels: int) -> nn.Module:
    return nn.BatchNorm1d(channels) if norm == "batch" else nn.GroupNorm(1, channels)


def balance(weights: Tensor) -> tuple[list[float], float]:  # [B, E]
    """Mean weight of each expert, and the mean entropy of the rows in nats (log E: all even, 0: one expert)."""
    weights = weights.detach().float()
    return weights.mean(dim=0).tolist(), float(torch.special.entr(weights).sum(dim=1).mean())


def histogram(weights: Tensor, bins: int) -> list[list[int]]:  # [B, E] -> E lists of counts
    """How many rows give each expert a weight in each of ``bins`` equal parts of [0, 1]."""
    part = (weights.detach().float() * bins).long().clamp(0, bins - 1)
    counts: Sequence[Tensor] = [torch.bincount(expert, minlength=bins) for expert in part.T]
    return [count.tolist() for count in counts]
