"""The prediction of a model for one history, and the teacher's stored answers. Without torch.

Letters: n items, E experts, R rows, W width of an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from engine.data import ids
from engine.data.sequences import Rows
from engine.errors import RunError
from engine.knowledge.held_out import EARLIER_NAMES, named, weights_in
from engine.metrics.lists import grounded
from engine.recommend.lineage import made
from engine.runs.schema import ARTIFACTS, Summary
from engine.stages import GATE_WEIGHTS, ITEMS, SEQUENCES, TEACHER_HELD_OUT


@dataclass(frozen=True)
class Prediction:
    """Scores [n + 1] of all items, and the expert weights [E] of a model that has a gate."""

    scores: NDArray[np.float32]
    gates: NDArray[np.float32] | None = None


Predictor = Callable[[NDArray[np.int32]], Prediction]  # item ids of a history, oldest first


ITEM_SIDE = {"table", "bias", "items", "popularity", "gamma"}  # tensors that turn an answer into scores


class StoredAnswers:
    """The teacher's answers to the held-out rows of one split, read row by row from its knowledge."""

    def __init__(self, runs: dict[str, Path], split: str, rows: Rows) -> None:
        """``rows`` [R]: the held-out rows of the split."""
        self._path, self._split, knowledge = made(runs, TEACHER_HELD_OUT), split, runs[TEACHER_HELD_OUT.stage]
        self._runs, self._rows = runs, rows
        summary = Summary.read(knowledge)
        self.mixed = bool(
            summary and summary.facts.get("models")
        )  # of several models, or of one in the teacher's place
        gated = not self.mixed or (knowledge / ARTIFACTS / GATE_WEIGHTS.file).exists()
        self._gates = made(runs, GATE_WEIGHTS) if gated else None
        try:
            with safe_open(self._path, "np") as file:
                names = set(file.keys())
                held = {name: file.get_tensor(name).astype(np.float32) for name in names & {*ITEM_SIDE, *EARLIER_NAMES}}
                answered = file.get_slice(split).get_shape()[0]
            self._held, self._untrained = named(held), weights_in(self._path)
        except (SafetensorError, OSError) as error:
            raise RunError(
                f"the teacher's answers cannot be read ({error})",
                location=str(self._path),
                remedy="Ask again: engine run knowledge --again",
            ) from error
        if answered != len(rows):
            raise RunError(
                f"the teacher answered {answered} {split} rows, but there are {len(rows)}",
                location=str(self._path),
                remedy="Ask again: engine run knowledge --again",
            )

    @property
    def grounding(self) -> tuple[NDArray[np.float32] | None, float]:
        """Popularity [n + 1] and gamma that ground generated answers; (None, 0) for a teacher that ranks items."""
        return self._held.get("popularity"), float(self._held.get("gamma", 0.0))

    @cached_property
    def _added(self) -> Callable[[slice], Any] | None:
        """Scores of the models without training in a mixture."""
        from engine.knowledge.untrained_part import UntrainedPart  # imports torch, which other answers do without

        part = UntrainedPart.of(self._untrained, made(self._runs, SEQUENCES), made(self._runs, ITEMS))
        return part.after_rows(self._rows, "cpu")

    def __call__(self, row: int) -> Prediction:
        """The prediction after the history of a row."""
        with safe_open(self._path, "np") as file:
            answer = file.get_slice(self._split)[row].astype(np.float32)  # [W]
        if "items" in self._held:
            scores = grounded(answer, self._held["items"], self._held["popularity"], float(self._held["gamma"]))
        else:
            scores = self._held["table"] @ answer + self._held.get("bias", np.float32(0))
        if self._untrained and self._added is not None:
            scores = scores + self._added(slice(row, row + 1))[0].numpy()
        scores[ids.PADDING] = -np.inf
        gates = None if self._gates is None else load_file(self._gates).get(self._split)
        return Prediction(scores.astype(np.float32), None if gates is None else gates[row])
