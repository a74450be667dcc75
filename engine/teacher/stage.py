"""The ``teacher`` stage: trains experts, gate, projector and head around a frozen language model."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from engine.config import Config
from engine.config.settings.teacher import TeacherSettings
from engine.data.catalogue import column, titles
from engine.data.sequences import Rows, Sequences
from engine.data.untitled import untitled
from engine.errors import DataError, UserError
from engine.runs.run import Run
from engine.stages import ADAPTER, ITEMS, SEQUENCES, VALIDATION
from engine.teacher.build import build, replay
from engine.teacher.largest import batch_tokens
from engine.teacher.module import TeacherModule
from engine.teacher.objectives import generate, rank
from engine.training import fit, memory
from engine.training.schedule import warmup_cosine

MOST_UNTITLED = 0.5  # share of items without a title


def run(config: Config, run: Run) -> None:
    """Train to the best evaluation, then write the adapter."""
    settings = config.teacher
    _refuse_untitled(settings, run.input(ITEMS))
    with run.loading("load models"):
        processes, sharded = fit.processes(config.trainer), config.trainer.strategy == "fsdp"
        setup = build(settings, run, fit.device(config.trainer), processes, sharded)
    replay(setup, config.trainer, run)
    setup = replace(setup, tokens=batch_tokens(setup, settings.batch_tokens, run, learns=True))
    sequences, rows = Sequences.load(run.input(SEQUENCES)), Rows.load(run.input(VALIDATION))
    if len(rows) == 0 or not (np.diff(sequences.offsets) > 1).any():
        raise DataError(
            "a teacher needs validation rows and a user with two training events",
            location=str(run.input(VALIDATION)),
            remedy="Choose another data.split, or looser filters of data.",
        )
    chosen = rank.objective if settings.objective == "rank" else generate.objective
    objective = chosen(setup, sequences, rows, run)
    if processes.rank:
        torch.manual_seed(settings.seed + processes.rank)  # each process drops out other channels
    steps = settings.total_steps(objective.per_epoch)
    plan = fit.TrainingPlan(
        steps=steps,
        per_epoch=objective.per_epoch,
        evaluate_every=max(1, -(-steps // settings.evaluations)),
        patience=settings.patience,
        metric=objective.metric,
        rate=lambda step: warmup_cosine(
            step, steps, round(settings.warmup * steps), 1.0, settings.floor_rate, settings.floor_rate
        ),
        clip=settings.clip,
        average=settings.average,
        # A curriculum begins with prompts without item vectors.
        resting=("projector",) if settings.generate is not None and settings.generate.curriculum else (),
        skips=objective.skips,
        shared_evaluation=processes.count > 1,
        sharded=sharded,
    )
    module = TeacherModule(setup.teacher, settings, objective, run, config.trainer.report_every)
    with memory.enough(lambda: _too_large(settings, setup.tokens)):
        fit.fit(
            module,
            plan,
            config.trainer,
            run,
            groups=setup.teacher.bands(),
            evaluate=objective.evaluate,
            positions=objective.positions,
        )
    setup.teacher.eval()
    if (passes := setup.teacher.passes) is not None:
        run.note(replayed_shapes=len(passes.shapes), batches_not_replayed=passes.not_captured)
    with run.output(ADAPTER) as path:
        setup.teacher.save(path, {"settings": asdict(settings)})


def _refuse_untitled(settings: TeacherSettings, items: Path) -> None:
    """A language model learns nothing from prompts of ids."""
    raw, names = column(items, "raw"), titles(items)[1:]
    count = untitled(raw, names)
    if count > MOST_UNTITLED * len(raw) and not settings.without_titles:
        raise DataError(
            f"{count:,} of {len(raw):,} items have no title: the teacher would read ids instead",
            location=str(items),
            remedy="Name the file with titles, data.catalogue=FILE, or their column, data.columns.title=COLUMN; "
            "to train without titles set teacher.without_titles=true.",
        )


def _too_large(settings: TeacherSettings, tokens: int | None = None) -> UserError:
    """The error of a step that does not fit into memory."""
    if tokens is not None:
        return memory.smaller("teacher.batch_tokens", tokens, "token")
    at_once = settings.batch // settings.accumulate
    finer = [parts for parts in range(settings.accumulate + 1, settings.batch + 1) if settings.batch % parts == 0]
    parts = next((parts for parts in finer if parts >= 2 * settings.accumulate), settings.batch)
    less = f"teacher.accumulate={parts} computes {settings.batch // parts} prompts at a time, with the same result; "
    return UserError(
        f"{at_once} prompts of up to {settings.context} tokens do not fit into memory",
        location="teacher.batch",
        remedy=f"Try {less if finer else ''}teacher.checkpointing=true, or a smaller teacher.context.",
    )
