"""The ``distill`` stage: the student trained again, with what the teacher wrote down."""

import json

import numpy as np
import torch
from safetensors.torch import load_file

from engine.config import Config
from engine.data import ids
from engine.data.sequences import Rows, Sequences
from engine.distill import losses
from engine.distill.module import DistillModule
from engine.distill.taught import Answers
from engine.errors import DataError
from engine.knowledge.rankings import Rankings
from engine.runs.run import Run
from engine.settings.distill import Distill
from engine.stages import DISTILLED_MODEL, ITEM_VECTORS, PROFILE, RANKINGS, SEQUENCES, VAL_NDCG, VALIDATION
from engine.student.batches import Windows
from engine.student.model import SequenceModel, save_student
from engine.student.validation import Validation
from engine.training import fit
from engine.training.optimizer import schedule


def run(config: Config, run: Run) -> None:
    """Train to the best validation NDCG@10, then write the model as a plain student."""
    settings, place = config.distill, fit.device(config.trainer)
    student = settings.student
    items: int = json.loads(run.input(PROFILE).read_text(encoding="utf-8"))["items"]
    sequences, rows = Sequences.load(run.input(SEQUENCES)), Rows.load(run.input(VALIDATION))
    if len(rows) == 0:
        raise DataError(
            "there are no validation rows, so no best model can be chosen",
            place=str(run.input(VALIDATION)),
            remedy="Choose another data.split, or data with longer histories.",
        )
    answers = _answers(settings, sequences, run, place)
    vectors = load_file(run.input(ITEM_VECTORS))["vectors"]
    torch.manual_seed(student.seed)
    windows = Windows(
        sequences,
        length=student.max_length,
        batch=student.batch,
        seed=student.seed,
        random=student.windows == "random",
        device=place,
        same_shapes=place != "cpu",
    )
    targets = np.delete(sequences.items, sequences.offsets[:-1])  # a user's first event is nobody's next one
    counts = torch.from_numpy(np.bincount(targets, minlength=ids.rows(items)))
    module = DistillModule(
        SequenceModel(items, student),
        settings,
        windows,
        answers,
        vectors,
        losses.propensities(counts, settings.dro.power),
        config.trainer.report_every,
    ).to(place)
    validation = Validation(rows, place)
    steps = student.epochs * windows.per_epoch
    course = fit.Course(
        steps=steps,
        per_epoch=windows.per_epoch,
        evaluate_every=student.evaluate_every * windows.per_epoch,
        patience=student.patience,
        metric=VAL_NDCG.name,
        rate=schedule(student.schedule, student.warmup, steps),
        clip=student.clip,
        average=student.average,
    )
    fit.fit(
        module,
        course,
        config.trainer,
        run,
        groups=module.groups(),
        evaluate=lambda tick: validation(module.folded(), tick),
        positions=windows.positions,
    )
    with run.output(DISTILLED_MODEL) as path:
        save_student(path, module.to(place).folded())
    run.note(items=items, users=len(sequences))


def _answers(settings: Distill, sequences: Sequences, run: Run, place: str) -> Answers:
    """What the teacher said, as far as it is used. DataError where ``select=all`` and it was not asked everything."""
    rankings = Rankings.load(run.input(RANKINGS))
    askable = len(sequences.items) - len(sequences)  # all but everybody's first event
    run.note(answered=len(rankings.rows), answered_share=len(rankings.rows) / max(1, askable))
    if settings.select == "all" and len(rankings.rows) < askable:
        raise DataError(
            f"the teacher answered {len(rankings.rows)} of {askable} training rows",
            place="distill.select = all",
            remedy="Choose distill.select=asked, or ask about every row: knowledge=all.",
        )
    top = max(settings.ranking.top, settings.kl.top)
    written = rankings.items.shape[1]
    if written < top:
        run.log("warning", f"the knowledge holds {written} items a row; distill asks for {top}")
    return Answers(rankings, len(sequences.items), top, place)
