"""iLoRA's own protocol on the held-out rows: the candidates stand in the teacher's prompt, and it says a title.

Beside what it says stands what it holds likeliest, which is always one of the candidates.

Letters: R rows, C candidates.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.sequences import Rows
from engine.evaluate.models import Model
from engine.evaluate.tables import Row
from engine.report.evaluation import SAID
from engine.runs.run import Run, Stopped
from engine.runs.run_files import RunFiles
from engine.runs.schema import ARTIFACTS
from engine.stages import ADAPTER
from engine.teacher.build import build, settings_of
from engine.teacher.objectives.generate import METRIC, CandidateEvaluation


def among(
    folder: Path, splits: dict[str, Rows], drawn: dict[str, NDArray[np.int32]], device: str, run: Run
) -> dict[str, dict[str, float]]:
    """By split, what the teacher of the run at ``folder`` names among the candidates [R, C] that all models rank.

    Nothing for a teacher that scores items and says none, or that is gone. The order in a prompt is drawn once.
    """
    adapter = folder / ARTIFACTS / ADAPTER.file
    if not adapter.is_file():
        run.log("warning", f"{folder.name} has no adapter any more: it cannot be asked among candidates")
        return {}
    settings = settings_of(adapter)
    rules = settings.generate
    if settings.objective != "generate" or rules is None:
        return {}
    setup = build(settings, RunFiles(folder), device)
    setup.teacher.load(adapter)
    found = {}

    def tick() -> None:
        run.progress(0, 1, "ask the teacher", unit="splits")
        if run.stop_requested:
            raise Stopped("stopped while the teacher was asked; an evaluation starts over")

    for split, candidates in drawn.items():
        rows = splits[split]
        mixed = np.random.default_rng(settings.seed).permuted(candidates.astype(np.int64), axis=1)
        spoken, likeliest = (
            CandidateEvaluation(setup, replace(rules, scoring=how), rows, mixed, tick)(tick)
            for how in ("greedy", "likelihood")
        )
        figures = (spoken[METRIC], spoken[f"{METRIC}_of_valid"], spoken["valid_ratio"], likeliest[METRIC])
        found[split] = dict(zip(SAID, figures, strict=True))
    return found


def add(metrics: list[Row], model: Model, found: dict[str, dict[str, float]]) -> None:
    """Puts the figures beside the model's ranking of the same candidates."""
    for row in metrics:
        if row["model"] == model.name and row["candidates"] != "all":
            row |= found.get(row["split"], {})
