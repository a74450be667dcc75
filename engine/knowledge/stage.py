"""The ``knowledge`` stage: the teacher's rankings of training rows, validation rows and test histories, computed once.

Letters: R rows, W width of a query vector, E experts, n items.
"""

from dataclasses import replace

import torch
from safetensors.torch import load_file, save_file

from engine.config import Config
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Rows, Sequences
from engine.knowledge import imported, mixture_weights, without_teacher
from engine.knowledge.blend import (
    Blend,
    Together,
    item_vectors,
    mixed,
    names_and_weights,
    note_models,
    students_of,
    text_vectors,
)
from engine.knowledge.inference import TeacherInference
from engine.knowledge.rankings import Rankings
from engine.knowledge.scorers import catalogue_scorer, generative_scorer
from engine.knowledge.untrained_part import UntrainedPart
from engine.runs.read_only import rank
from engine.runs.run import Run
from engine.stages import (
    ADAPTER,
    GATE_WEIGHTS,
    ITEM_VECTORS,
    ITEMS,
    LAST_POSITION,
    RANKINGS,
    SEQUENCES,
    TEACHER,
    TEACHER_HELD_OUT,
    TEST_HISTORIES,
    TEXT_VECTORS,
    VALIDATION,
)
from engine.teacher.build import build, replay, settings_of
from engine.teacher.largest import batch_tokens
from engine.training import fit, memory


def run(config: Config, run: Run) -> None:
    """Predict in shards, each stored as soon as it is done, then join them into the artifacts."""
    settings = config.knowledge
    if settings.files is not None:
        imported.import_files(settings, run)
        return
    if TEACHER not in settings.models:
        if rank() == 0:  # there is nothing to share
            without_teacher.rank(config, run)
        return
    with run.loading("load models"):
        processes = fit.processes(config.trainer)
        trained, sharded = settings_of(run.input(ADAPTER)), config.trainer.strategy == "fsdp"
        setup = build(trained, run, fit.device(config.trainer), processes, sharded)
        setup.teacher.load(run.input(ADAPTER))
        replay(setup, config.trainer, run, learns=False)
        setup = replace(setup, tokens=batch_tokens(setup, settings.batch_tokens, run, learns=False))
    sequences, text = Sequences.load(run.input(SEQUENCES)), load_file(run.input(TEXT_VECTORS))["vectors"]
    if setup.settings.objective == "rank":
        scorers = [catalogue_scorer(setup, settings)]
    else:
        backbone, counts = config.backbone, sequences.counts(len(text))
        common = (backbone.pooling, backbone.text_tokens, torch.from_numpy(counts).float())
        scorers = [generative_scorer(setup, settings, text, *common, gamma) for gamma in settings.gammas]
    items, validation = len(text) - 1, Rows.load(run.input(VALIDATION))
    students = students_of(settings, run, items, setup.device, text)
    weights = names_and_weights(settings)
    untrained = UntrainedPart.of(weights, run.input(SEQUENCES), run.input(ITEMS))
    item_keys, together = scorers[0].item_vectors, None
    if settings.choose_weights:
        with memory.enough(lambda: memory.smaller_batch("knowledge", settings.batch, setup.tokens)):
            rows = mixture_weights.sample(validation, settings.seed)
            scores = {TEACHER: mixture_weights.teacher_scores(setup, scorers[0], rows, run)}
            scores |= mixture_weights.student_scores(students, rows, run, setup.device)
            scores |= untrained.alone(rows, setup.device)
            weights = mixture_weights.chosen(settings, scores, rows, items, run, setup.device)
        weights = setup.processes.first(weights)
        untrained = untrained.weighted(weights)
    if len(weights) > 1:
        note_models(settings, weights, run)
        others = Blend.of(students, weights, items)
        width, together = setup.student.table.shape[1], Together(setup.student, others)
        scorers = [mixed(scorer, weights[TEACHER], width, others, settings.top) for scorer in scorers]
    inference = TeacherInference(
        settings, setup, scorers, run, protocol_of(run, settings.hide_seen), together, untrained
    )
    with memory.enough(lambda: memory.smaller_batch("knowledge", settings.batch, setup.tokens)):
        test = Sequences.load(run.input(TEST_HISTORIES))
        held_out = inference.held_out(validation, test)
        shards = inference.shards(sequences, text, test)
    if processes.rank:
        return  # the first process has it all
    parts = [load_file(shard) for shard in shards]
    whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    rankings = Rankings(whole["rows"], whole["items"], whole["distances"])
    for artifact, chosen in zip((RANKINGS, LAST_POSITION), rankings.at_ends(sequences), strict=True):
        with run.output(artifact) as path:
            chosen.save(path)
    with run.output(GATE_WEIGHTS) as path:
        gates = {"validation": held_out["validation_gates"], "test": held_out["test_gates"]}
        known = rankings.of_events(sequences)
        save_file({"rows": rankings.rows[known], "weights": whole["weights"][known]} | gates, path)
    with run.output(ITEM_VECTORS) as path:
        vectors = text_vectors(settings, run)
        vectors = item_vectors(settings, students, item_keys) if vectors is None else vectors
        save_file({"vectors": vectors.contiguous()}, path)  # [n + 1, K or H], row 0 is the padding's
    with run.output(TEACHER_HELD_OUT) as path:
        queries = {name: held_out[name].contiguous() for name in ("validation", "test")}
        stored = {name: value.cpu() for name, value in inference.scorer.stored.items()}
        save_file(queries | stored | untrained.stored, path)
