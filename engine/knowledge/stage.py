"""The ``knowledge`` stage: asks the teacher once about the training rows, and about validation and test histories.

Letters: R rows, W width of the teacher's answers, E experts, n items.
"""

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from engine.config import Config
from engine.data.sequences import Rows, Sequences
from engine.knowledge import imported
from engine.knowledge.ask import Asker
from engine.knowledge.rankings import Rankings
from engine.knowledge.scorers import saying, scoring
from engine.runs.run import Run
from engine.stages import (
    ADAPTER,
    GATE_WEIGHTS,
    ITEM_VECTORS,
    LAST_POSITION,
    RANKINGS,
    SEQUENCES,
    TEACHER_HELD_OUT,
    TEST_HISTORIES,
    TEXT_VECTORS,
    VALIDATION,
)
from engine.teacher.build import build, settings_of
from engine.training import fit, memory


def run(config: Config, run: Run) -> None:
    """Ask in shards, each written as soon as it is answered, then put the artifacts together."""
    settings, place = config.knowledge, fit.device(config.trainer)
    if settings.files is not None:
        imported.take(settings, run)
        return
    trained = settings_of(run.input(ADAPTER))
    built = build(trained, run, place)
    built.teacher.load(run.input(ADAPTER))
    sequences, text = Sequences.load(run.input(SEQUENCES)), load_file(run.input(TEXT_VECTORS))["vectors"]
    if trained.objective == "rank":
        ways = [scoring(built, settings, trained, place)]
    else:
        about, seen = config.backbone, torch.from_numpy(np.bincount(sequences.items, minlength=len(text))).float()
        reads = (about.pooling, about.text_tokens, place, seen)
        ways = [saying(built, settings, trained, text, *reads, gamma) for gamma in settings.gammas]
    asker = Asker(settings, built, ways, trained.history, run, place)
    with memory.enough(lambda: memory.smaller("knowledge.batch", settings.batch, "prompt")):
        held_out = asker.held_out(Rows.load(run.input(VALIDATION)), Sequences.load(run.input(TEST_HISTORIES)))
        shards = asker.shards(sequences, text)
    parts = [load_file(shard) for shard in shards]
    whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    asked = Rankings(whole["rows"], whole["items"], whole["distances"])
    end = torch.isin(asked.rows, torch.from_numpy(sequences.offsets[1:]))  # first events are not asked for
    for artifact, which in ((RANKINGS, ~end), (LAST_POSITION, end)):
        with run.output(artifact) as path:
            asked.some(which).save(path)
    with run.output(GATE_WEIGHTS) as path:
        gates = {"validation": held_out["validation_gates"], "test": held_out["test_gates"]}
        save_file({"rows": asked.rows[~end], "weights": whole["weights"][~end]} | gates, path)
    with run.output(ITEM_VECTORS) as path:
        vectors = asker.way.key if settings.item_vectors == "key" else text
        save_file({"vectors": vectors.contiguous()}, path)  # [n + 1, K or H], row 0 is the padding's
    with run.output(TEACHER_HELD_OUT) as path:
        answers = {name: held_out[name].contiguous() for name in ("validation", "test")}
        save_file(answers | {name: value.cpu() for name, value in asker.way.written.items()}, path)
