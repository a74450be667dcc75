"""The teacher as a function of one history: frozen language model, adapter and frozen student, built once.

Letters: E experts, n items, W width of an answer.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from engine import config
from engine.data.sequences import Rows
from engine.errors import ConfigError, RunError
from engine.knowledge.scorers import catalogue_scorer, generative_scorer
from engine.recommend.predictions import Prediction
from engine.runs.run_files import RunFiles
from engine.runs.schema import ARTIFACTS, CONFIG
from engine.stages import ADAPTER, TEXT_VECTORS
from engine.teacher.build import build, settings_of
from engine.teacher.prompting.spans import heldout_spans


class LiveTeacher:
    """Computes the answer to one history as the knowledge stage does."""

    def __init__(
        self, folder: Path, device: str = "cpu", popularity: NDArray[np.float32] | None = None, gamma: float = 0.0
    ) -> None:
        """``folder`` is the teacher's run; ``popularity`` [n + 1] and ``gamma`` are as its knowledge grounds answers.

        RunError where something it was made from is gone.
        """
        run, adapter = RunFiles(folder), folder / ARTIFACTS / ADAPTER.file
        try:
            self._trained = settings_of(adapter)
        except ConfigError as error:
            raise RunError(
                f"another version of the program trained this teacher ({error.cause})",
                location=folder.name,
                remedy="Train it again: engine run teacher --again",
            ) from error
        self._device = device
        self._built = build(self._trained, run, device)
        self._built.teacher.load(adapter)
        settings = config.load().knowledge  # of one history at a time: nothing in it changes the answer
        if self._trained.objective == "rank":
            self._scorer = catalogue_scorer(self._built, settings)
        else:
            text, about = load_file(run.input(TEXT_VECTORS))["vectors"], config.tree_at(folder / CONFIG)["backbone"]
            liked = None if popularity is None else torch.from_numpy(popularity)
            self._scorer = generative_scorer(
                self._built, settings, text, about["pooling"], about["text_tokens"], liked, gamma
            )

    @torch.no_grad()
    def __call__(self, history: NDArray[np.int32]) -> Prediction:
        """Scores [n + 1] and expert weights [E] after a history, which must hold an item."""
        one = Rows(history, np.zeros(1, dtype=np.int64), np.array([len(history)]), np.zeros(1, dtype=np.int64))
        state = self._built.student.after_rows(one, self._device, _no_progress)
        spans = heldout_spans(one, self._trained.history + 1)
        queries, gates = self._scorer.queries(spans, state, np.zeros(1, dtype=np.int64), _no_progress)
        scores = self._scorer.scores(queries.to(self._device))[0]
        return Prediction(scores.float().cpu().numpy(), gates[0].float().numpy())


def _no_progress(done: int, total: int) -> None:
    """No progress is reported."""
