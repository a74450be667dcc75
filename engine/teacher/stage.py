"""The ``teacher`` stage: trains experts, gate and the small maps around a frozen language model."""

from dataclasses import asdict

import numpy as np
import torch

from engine.config import Config
from engine.config.settings.teacher import TeacherSettings
from engine.data.sequences import Rows, Sequences
from engine.errors import DataError, UserError
from engine.runs.read_only import rank
from engine.runs.run import Run
from engine.stages import ADAPTER, SEQUENCES, VALIDATION
from engine.teacher.build import build
from engine.teacher.module import TeacherModule
from engine.teacher.objectives import generate
from engine.teacher.objectives import rank as ranking
from engine.training import fit, memory
from engine.training.schedule import warmup_cosine


def run(config: Config, run: Run) -> None:
    """Train to the best validation NDCG@10, then write what was trained."""
    settings, place, processes = config.teacher, fit.device(config.trainer), config.trainer.devices
    built = build(settings, run, place)
    sequences, rows = Sequences.load(run.input(SEQUENCES)), Rows.load(run.input(VALIDATION))
    if len(rows) == 0 or not (np.diff(sequences.offsets) > 1).any():
        raise DataError(
            "a teacher needs validation rows and a user with two training events",
            location=str(run.input(VALIDATION)),
            remedy="Choose another data.split, or looser filters of data.",
        )
    if settings.objective == "rank":
        popularity = np.bincount(sequences.items, minlength=len(built.titles))
        task = ranking.task(settings, built, sequences, rows, popularity, run, place, processes)
    else:
        task = generate.task(settings, built, sequences, rows, run, place, processes)
    if rank():
        torch.manual_seed(settings.seed + rank())  # each process drops out other channels
    steps = min(settings.epochs * task.per_epoch, settings.steps or settings.epochs * task.per_epoch)
    plan = fit.TrainingPlan(
        steps=steps,
        per_epoch=task.per_epoch,
        evaluate_every=max(1, -(-steps // settings.evaluations)),
        patience=settings.patience,
        metric=task.metric,
        rate=lambda step: warmup_cosine(
            step, steps, round(settings.warmup * steps), 1.0, settings.floor_rate, settings.floor_rate
        ),
        clip=settings.clip,
        average=settings.average,
        # A curriculum begins with prompts that hold no item vector at all.
        resting=("projector",) if settings.generate is not None and settings.generate.curriculum else (),
        skips=task.skips,
    )
    module = TeacherModule(built.teacher, settings, task, run, config.trainer.report_every)
    with memory.enough(lambda: _too_large(settings)):
        fit.fit(
            module,
            plan,
            config.trainer,
            run,
            groups=built.teacher.bands(),
            evaluate=task.evaluate,
            positions=task.positions,
        )
    built.teacher.eval()
    with run.output(ADAPTER) as path:
        built.teacher.save(path, {"settings": asdict(settings)})


def _too_large(settings: TeacherSettings) -> UserError:
    """What to try when a step does not fit into memory."""
    at_once = settings.batch // settings.accumulate
    finer = [parts for parts in range(settings.accumulate + 1, settings.batch + 1) if settings.batch % parts == 0]
    parts = next((parts for parts in finer if parts >= 2 * settings.accumulate), settings.batch)
    less = f"teacher.accumulate={parts} computes {settings.batch // parts} prompts at a time, with the same result; "
    return UserError(
        f"{at_once} prompts of up to {settings.context} tokens do not fit into memory",
        location="teacher.batch",
        remedy=f"Try {less if finer else ''}teacher.checkpointing=true, or a smaller teacher.context.",
    )
