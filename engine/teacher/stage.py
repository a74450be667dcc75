"""The ``teacher`` stage: trains experts, gate and the small maps around a frozen language model."""

from dataclasses import asdict

import numpy as np

from engine.config import Config
from engine.data.sequences import Rows, Sequences
from engine.errors import DataError
from engine.runs.run import Run
from engine.stages import ADAPTER, SEQUENCES, VALIDATION
from engine.teacher import generate, rank
from engine.teacher.build import build
from engine.teacher.module import TeacherModule
from engine.teacher.schedule import warmup_cosine
from engine.training import fit


def run(config: Config, run: Run) -> None:
    """Train to the best validation NDCG@10, then write what was trained."""
    settings, place = config.teacher, fit.device(config.trainer)
    built = build(settings, run, place)
    sequences, rows = Sequences.load(run.input(SEQUENCES)), Rows.load(run.input(VALIDATION))
    if len(rows) == 0 or not (np.diff(sequences.offsets) > 1).any():
        raise DataError(
            "a teacher needs validation rows and a user with two training events",
            place=str(run.input(VALIDATION)),
            remedy="Choose another data.split, or looser filters of data.",
        )
    if settings.objective == "rank":
        popularity = np.bincount(sequences.items, minlength=len(built.titles))
        task = rank.task(settings, built, sequences, rows, popularity, run, place)
    else:
        task = generate.task(settings, built, sequences, rows, run, place)
    steps = settings.epochs * task.per_epoch
    course = fit.Course(
        steps=steps,
        per_epoch=task.per_epoch,
        evaluate_every=max(1, -(-steps // settings.evaluations)),
        patience=settings.patience,
        metric=task.metric,
        rate=lambda step: warmup_cosine(
            step, steps, round(settings.warmup * steps), 1.0, settings.floor_rate, settings.floor_rate
        ),
        clip=settings.clip,
    )
    module = TeacherModule(built.teacher, settings, task, run, config.trainer.report_every)
    fit.fit(
        module,
        course,
        config.trainer,
        run,
        groups=built.teacher.groups(),
        evaluate=task.evaluate,
        positions=task.positions,
    )
    built.teacher.eval()
    with run.output(ADAPTER) as path:
        built.teacher.save(path, {"settings": asdict(settings)})
