"""iLoRA's generative protocol on the held-out rows: the teacher generates a title for a prompt with the candidates.

The most likely candidate is reported beside the generated one.

Letters: R rows, C candidates.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.sequences import Rows
from engine.evaluate.models import Model
from engine.evaluate.tables import Row
from engine.report.evaluation import GENERATIVE
from engine.runs.run import Run, Stopped
from engine.runs.run_files import RunFiles
from engine.runs.schema import ARTIFACTS
from engine.stages import ADAPTER, CANDIDATE_HR, CANDIDATE_HR_OF_VALID, VALID_RATIO
from engine.teacher.build import build, settings_of
from engine.teacher.objectives.generate import CandidateEvaluation


def measure(
    folder: Path, splits: dict[str, Rows], drawn: dict[str, NDArray[np.int32]], device: str, run: Run
) -> dict[str, dict[str, float]]:
    """Split -> metrics of the teacher of the run at ``folder`` on the candidates [R, C] that all models rank.

    Empty for a teacher without the ``generate`` objective or without an adapter. The order in a prompt is drawn once.
    """
    adapter = folder / ARTIFACTS / ADAPTER.file
    if not adapter.is_file():
        run.log("warning", f"{folder.name} has no adapter any more: it cannot be asked among candidates")
        return {}
    settings = settings_of(adapter)
    rules = settings.generate
    if settings.objective != "generate" or rules is None:
        return {}
    with run.loading("load models"):
        setup = build(settings, RunFiles(folder), device)
        setup.teacher.load(adapter)
    found = {}

    for split, candidates in drawn.items():
        rows = splits[split]

        def tick(done: int, total: int, split: str = split) -> None:
            run.progress(done, total, f"ask the teacher about {split}", unit="prompts")
            if run.stop_requested:
                raise Stopped("stopped while the teacher was asked; an evaluation starts over")

        tick(0, len(rows))
        mixed = np.random.default_rng(settings.seed).permuted(candidates.astype(np.int64), axis=1)
        generated, likeliest = (
            CandidateEvaluation(setup, replace(rules, scoring=how), rows, mixed, tick)(tick)
            for how in ("greedy", "likelihood")
        )
        figures = (
            *(generated[metric.name] for metric in (CANDIDATE_HR, CANDIDATE_HR_OF_VALID, VALID_RATIO)),
            likeliest[CANDIDATE_HR.name],
        )
        found[split] = dict(zip(GENERATIVE, figures, strict=True))
    return found


def add(metrics: list[Row], model: Model, found: dict[str, dict[str, float]]) -> None:
    """Add the metrics to the model's row for the same candidates."""
    for row in metrics:
        if row["model"] == model.name and row["candidates"] != "all":
            row |= found.get(row["split"], {})
