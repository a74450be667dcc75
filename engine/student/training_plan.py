"""What the student and distill stages share: inputs, batches of a step and the plan of a training."""

import json

from engine.config.settings.student import StudentSettings
from engine.config.settings.trainer import TrainerSettings
from engine.data.sequences import Rows, Sequences
from engine.errors import DataError
from engine.runs.read_only import rank
from engine.runs.run import Run
from engine.stages import LOSS, PROFILE, SEQUENCES, VAL_NDCG, VALIDATION
from engine.student.batches import BatchSampler
from engine.student.losses import chance_loss
from engine.student.module import HistoryStep
from engine.training import fit
from engine.training.callback import Evaluate
from engine.training.checkpoint import TrainState
from engine.training.plan import TrainingPlan
from engine.training.schedule import schedule


def load_inputs(run: Run) -> tuple[int, Sequences, Rows]:
    """Number of items, training sequences and validation rows of a run; DataError when there are no such rows."""
    items: int = json.loads(run.input(PROFILE).read_text(encoding="utf-8"))["items"]
    rows = Rows.load(run.input(VALIDATION))
    if len(rows) == 0:
        raise DataError(
            "there are no validation rows, so no best model can be chosen",
            location=str(run.input(VALIDATION)),
            remedy="Choose another data.split, or data with longer histories.",
        )
    return items, Sequences.load(run.input(SEQUENCES)), rows


def sampler_of(
    settings: StudentSettings,
    sequences: Sequences,
    device: str,
    processes: int = 1,
    last_position: bool = False,
    same_shapes: bool = False,
) -> BatchSampler:
    """This process's batches of a training on ``device``; the rest as in ``BatchSampler``."""
    return BatchSampler(
        sequences,
        length=settings.max_length,
        batch=settings.batch,
        seed=settings.seed,
        random=settings.windows == "random",
        device=device,
        same_shapes=same_shapes or device != "cpu",
        rank=rank() if processes > 1 else 0,
        world=processes,
        last_position=last_position,
    )


def train(
    module: HistoryStep, plan: TrainingPlan, trainer: TrainerSettings, run: Run, evaluate: Evaluate | None
) -> TrainState:
    """``fit`` of steps over histories."""
    positions = module.sampler.positions
    return fit.fit(module, plan, trainer, run, groups=module.groups(), evaluate=evaluate, positions=positions)


def plan_of(settings: StudentSettings, per_epoch: int, items: int | None = None, loss: str = LOSS.name) -> TrainingPlan:
    """Steps, schedule, precision and selection metric from the settings.

    ``loss`` is the student's own as it is reported, over ``items`` where they are given.
    """
    steps = settings.epochs * per_epoch
    return TrainingPlan(
        steps=steps,
        per_epoch=per_epoch,
        evaluate_every=settings.evaluate_every * per_epoch,
        patience=settings.patience,
        metric=VAL_NDCG.name,
        rate=schedule(settings.schedule, settings.warmup, steps),
        clip=settings.clip,
        average=settings.average,
        precision=settings.precision,
        uniform=(loss, chance_loss(items)) if items and settings.loss == "cross-entropy" else None,
    )
