"""Knowledge imported from DLLM2Rec's files, in place of a teacher of our own.

Letters: R rows, K items of a ranking, n items.
"""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.config.settings.knowledge import KnowledgeSettings
from engine.data import catalogue, ids
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Sequences
from engine.knowledge import files
from engine.knowledge.rankings import Rankings
from engine.metrics import ranking
from engine.metrics.grounding import spread
from engine.runs.run import Run
from engine.stages import ITEM_VECTORS, ITEMS, RANKINGS, SEQUENCES

SURE = 1.05  # confidence of a first item over the mean of its ranking, below which confidence carries no information


def import_files(settings: KnowledgeSettings, run: Run) -> None:
    """Reads and checks the files and stores rankings and item vectors; there are no held-out rows to evaluate."""
    assert settings.files is not None  # knowledge.stage
    sequences = Sequences.load(run.input(SEQUENCES))
    items = len(catalogue.titles(run.input(ITEMS))) - 1
    run.progress(0, 1, "read", unit="folders")
    found, vectors = files.read(Path(settings.files).expanduser(), sequences, items)
    if protocol_of(run, settings.hide_seen):
        found = without_seen(found, sequences, ids.rows(items))
    ranked, distances = found.items[:, : settings.top], found.distances[:, : settings.top]
    if settings.spread:
        distances = torch.where(distances.isfinite(), spread(distances.nan_to_num(posinf=0.0)), distances)
    surest = confidence(distances)
    if surest < SURE:
        run.log(
            "warning",
            "exp(-distance) is the same for all items of a ranking, so confidence carries no information: "
            "knowledge.spread=true scales each row's distances to 0..1",
        )
    with run.output(RANKINGS) as path:
        Rankings(found.rows, ranked.contiguous(), distances.contiguous()).save(path)
    with run.output(ITEM_VECTORS) as path:
        save_file({"vectors": vectors}, path)
    run.note(rows=len(found.rows), surest=None if math.isnan(surest) else round(surest, 3), source="files")
    run.progress(1, 1, "read", unit="folders")


def without_seen(found: Rankings, sequences: Sequences, rows: int) -> Rankings:
    """Moves the items of a row's own history to the end of its ranking, at an infinite distance."""
    first = np.repeat(sequences.offsets[:-1], np.diff(sequences.offsets))[found.rows.numpy()]
    seen = ranking.on_device(sequences.items, first, found.rows.numpy(), "cpu")
    ranked, distances = found.items.clone(), found.distances.clone()
    for block in ranking.blocks(len(ranked), rows, "cpu"):
        known = torch.zeros(len(ranked[block]), rows, dtype=torch.bool)
        known[ranking.history_pairs(seen, block)] = True
        hidden = known.gather(1, ranked[block].long())
        order = hidden.long().argsort(dim=1, stable=True)
        far = distances[block].masked_fill(hidden, torch.inf)
        ranked[block], distances[block] = ranked[block].gather(1, order), far.gather(1, order)
    return Rankings(found.rows, ranked, distances)


def confidence(distances: Tensor) -> float:  # [R, K]
    """Largest over mean confidence of a ranking, exp(-d) + 1e-8 as in DLLM2Rec; mean over rows."""
    sure = torch.exp(-distances) + 1e-8
    return float((sure.amax(dim=1) / sure.mean(dim=1)).mean())
