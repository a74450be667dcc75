"""What a model tells of one history, and the teacher's answers as they were written down. Without torch.

Letters: n items, E experts, R rows, W width of an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from engine.data import ids
from engine.errors import RunError
from engine.evaluate.lineage import made
from engine.stages import GATE_WEIGHTS, TEACHER_HELD_OUT


@dataclass(frozen=True)
class Told:
    """Scores [n + 1] of all items, and the expert weights [E] of a model that has a gate."""

    scores: NDArray[np.float32]
    gates: NDArray[np.float32] | None = None


Teller = Callable[[NDArray[np.int32]], Told]  # item ids of a history, oldest first


class Answered:
    """The teacher's answers to the held-out rows of one split, read from its knowledge row by row."""

    def __init__(self, runs: dict[str, Path], split: str, rows: int) -> None:
        self._path, self._gates, self._split = made(runs, TEACHER_HELD_OUT), made(runs, GATE_WEIGHTS), split
        try:
            with safe_open(self._path, "np") as file:
                self._table = file.get_tensor("table").astype(np.float32)  # [n + 1, W]
                self._bias = file.get_tensor("bias") if "bias" in file.keys() else None  # noqa: SIM118 - not a dict
                answered = file.get_slice(split).get_shape()[0]
        except (SafetensorError, OSError) as error:
            raise RunError(
                f"the teacher's answers cannot be read ({error})",
                place=str(self._path),
                remedy="Ask again: engine run knowledge --again",
            ) from error
        if answered != rows:
            raise RunError(
                f"the teacher answered {answered} {split} rows, but there are {rows}",
                place=str(self._path),
                remedy="Ask again: engine run knowledge --again",
            )

    def __call__(self, row: int) -> Told:
        """What it said after the history of a row."""
        with safe_open(self._path, "np") as file:
            answer = file.get_slice(self._split)[row].astype(np.float32)  # [W]
        scores = self._table @ answer
        if self._bias is not None:
            scores = scores + self._bias
        scores[ids.PADDING] = -np.inf
        gates = load_file(self._gates).get(self._split)
        return Told(scores.astype(np.float32), None if gates is None else gates[row])
