"""The gates of a teacher: histograms of the gate weights of each layer and expert, and the load over time.

E experts, B bins over gate weights 0..1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cockpit.models.over_time import OverTime
from engine.runs.events import expert_name, number, unpack_counts

if TYPE_CHECKING:  # numpy.typing costs a tenth of a second that the start should not pay
    from numpy.typing import NDArray


KEPT = 4096  # reports kept per layer
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass
class Layer:
    """The latest histogram of one layer, counts [E, B], and the load and entropy of every report."""

    counts: NDArray[np.float64]
    steps: list[float] = field(default_factory=list)
    loads: list[list[float]] = field(default_factory=list)  # one [E] a report
    entropies: list[float] = field(default_factory=list)
    shares: OverTime = field(default_factory=OverTime)  # QUANTILES of the gate weights of each expert, [E * Q]
    dead: frozenset[int] = frozenset()  # experts that ``engine.training.health`` noted
    collapsed: bool = False  # noted by it too

    @property
    def experts(self) -> int:
        return len(self.counts)

    @property
    def entropy(self) -> float:
        """Mean entropy of the mixtures [nats]."""
        return self.entropies[-1]

    @property
    def most_entropy(self) -> float:
        """The entropy of an even mixture, ln(E)."""
        return math.log(self.experts) if self.experts > 1 else 0.0

    @property
    def load(self) -> NDArray[np.float64]:
        """Mean gate weight of each expert [E]."""
        return np.array(self.loads[-1])

    @property
    def variation(self) -> float:
        """Coefficient of variation of the load: standard deviation over mean, 0 for an even load."""
        load = self.load
        return float(load.std() / load.mean()) if load.mean() > 0 else float("nan")

    def quantiles(self, expert: int) -> NDArray[np.float64]:
        """QUANTILES of an expert's gate weights at each of ``shares.steps``: [Q, T]"""
        return self.shares.matrix()[expert * len(QUANTILES) : (expert + 1) * len(QUANTILES)]

    @property
    def loads_over_time(self) -> NDArray[np.float64]:
        """[E, T]"""
        return np.array(self.loads).T


class Gates:
    """All layers, in the order in which they were first reported."""

    def __init__(self) -> None:
        self.layers: dict[str, Layer] = {}
        self.notes: dict[str, tuple[str, ...]] = {}  # code of a fault that lasts -> layers or experts

    def note(self, event: dict[str, Any]) -> None:
        """Take a ``health`` event."""
        if event["code"] in ("dead_expert", "gate_collapse"):
            lasts = event.get("level") != "info"
            self.notes[event["code"]] = tuple(map(str, event.get("groups") or ())) if lasts else ()
            for name in self.layers:
                self._judge(name)

    def _judge(self, name: str) -> None:
        layer, dead = self.layers[name], self.notes.get("dead_expert", ())
        layer.dead = frozenset(e for e in range(layer.experts) if expert_name(name, e) in dead)
        layer.collapsed = name in self.notes.get("gate_collapse", ())

    def feed(self, event: dict[str, Any]) -> bool:
        """Take a ``gate`` event; False for one whose parts contradict each other."""
        largest = [number(value) for value in event["mx"]]
        load = [number(value) for value in event["load"]]
        entropy = number(event["ent"])
        if not largest or len(load) != len(largest) or None in largest or None in load:
            return False
        try:
            counts = np.array(unpack_counts(event["c"], [value or 0.0 for value in largest]))
        except ValueError:  # not base85
            return False
        if counts.ndim != 2 or counts.shape[1] == 0:
            return False
        layer = self.layers.get(event["layer"])
        if layer is None or layer.experts != len(counts):
            layer = self.layers[event["layer"]] = Layer(counts)
            self._judge(event["layer"])
        layer.counts = counts
        layer.shares.append(float(event["step"]), quantiles(counts).ravel())
        layer.steps.append(float(event["step"]))
        layer.loads.append([value or 0.0 for value in load])
        layer.entropies.append(float("nan") if entropy is None else entropy)
        if len(layer.steps) > KEPT:  # every other of the older half goes: the past gets coarser, not lost
            keep = [*range(0, KEPT // 2, 2), *range(KEPT // 2, len(layer.steps))]
            layer.steps, layer.loads, layer.entropies = (
                [layer.steps[i] for i in keep],
                [layer.loads[i] for i in keep],
                [layer.entropies[i] for i in keep],
            )
        return True

    def rewind(self, step: float) -> None:
        for layer in self.layers.values():
            keep = sum(1 for s in layer.steps if s <= step) or 1
            del layer.steps[keep:], layer.loads[keep:], layer.entropies[keep:]
            layer.shares.rewind(step)


def quantiles(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Histograms over 0..1 [E, B] -> their QUANTILES [E, Q]; NaN for an expert without counts."""
    sums = counts.cumsum(1)
    total, bins = sums[:, -1:], counts.shape[1]
    wanted = total * np.array(QUANTILES)  # [E, Q]
    bin_of = (sums[:, None, :] < wanted[:, :, None]).sum(2)
    found: NDArray[np.float64] = np.where(total > 0, (bin_of + 0.5) / bins, np.nan)
    return found
