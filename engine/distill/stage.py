"""The ``distill`` stage: the student trained again, with the teacher's knowledge."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.config import Config
from engine.config.settings.distill import BETTER, DistillSettings
from engine.data import ids
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Sequences
from engine.distill import losses
from engine.distill.gain import gain_of
from engine.distill.inputs import DistillInputs
from engine.distill.module import DistillModule
from engine.distill.teacher_targets import TeacherTargets
from engine.errors import ConfigError, DataError
from engine.runs.run import Run
from engine.stages import BASELINE, DISTILLED, DISTILLED_MODEL, DISTILLED_REFIT, STUDENT_MODEL, STUDENT_REFIT
from engine.student.cold_items import ColdItems, cold_items
from engine.student.model import SequenceModel, load_student, save_student
from engine.student.refit import train_again
from engine.student.training_plan import load_inputs, plan_of, sampler_of, train
from engine.student.validation import Validation
from engine.training import fit
from engine.training.plan import TrainingPlan


def run(config: Config, run: Run) -> None:
    """Train to the best validation NDCG@10, then write the model, or the baseline, as a plain student; with
    ``distill.student.refit`` train and write another one."""
    settings, device = config.distill, fit.device(config.trainer)
    student = settings.student
    if settings.as_released and config.trainer.devices > 1:
        raise ConfigError(
            "the published arithmetic multiplies means over a whole batch, which several processes cannot share",
            location="distill.as_released",
            remedy="Choose trainer.devices=1, or distill.as_released=false.",
        )
    items, sequences, rows = load_inputs(run)
    inputs = DistillInputs.load(settings, sequences, run)
    if not inputs.vectors.shape[1]:
        settings = _without_vectors(settings, run)
    config = replace(config, distill=settings)
    module, plan = _training(config, items, inputs)
    validation = Validation(rows, device, protocol_of(run))
    state = train(module, plan, config.trainer, run, lambda tick: validation(module.merged(), tick))
    model, chosen = module.to(device).merged(), DISTILLED
    if settings.choose == BETTER:
        model, chosen = _better(model, run, validation, settings.seed, device)
    with run.output(DISTILLED_MODEL) as path:
        save_student(path, model)
    run.note(items=items, users=len(sequences))
    if student.refit:
        if chosen == BASELINE:  # whose own second training is the one that belongs to it
            again = load_student(run.input(STUDENT_REFIT))
        else:
            second, plan = _training(config, items, inputs.with_validation(rows))
            train_again(second, plan, config.trainer, run, state.best_step / module.sampler.per_epoch)
            again = second.merged()
        with run.output(DISTILLED_REFIT) as path:
            save_student(path, again)


def _training(config: Config, items: int, inputs: DistillInputs) -> tuple[DistillModule, TrainingPlan]:
    """A new student with the terms of its loss, and what its training on these inputs is."""
    settings, device, trainer = config.distill, fit.device(config.trainer), config.trainer
    student, sequences, vectors = settings.student, inputs.sequences, inputs.vectors
    torch.manual_seed(student.seed)
    events, last = len(sequences.items), inputs.last_position
    sampler = sampler_of(
        student,
        sequences,
        device,
        trainer.devices,
        last_position=last is not None,
        same_shapes=trainer.cuda_graph == "true",
    )
    targets = np.delete(sequences.items, sequences.offsets[:-1])  # a user's first event is never a target
    counts = torch.from_numpy(np.bincount(targets, minlength=ids.rows(items)))
    module = DistillModule(
        SequenceModel(items, student),
        settings,
        sampler,
        TeacherTargets(inputs.rankings, events, settings.ranked_items, device),
        vectors,
        losses.propensities(counts, settings.dro.power),
        trainer.report_every,
        None if last is None else TeacherTargets(last, events + 1, settings.kl.top, device),
        _cold_items(settings, config.knowledge.of_texts, sequences, items, vectors, device),
    ).to(device)
    if trainer.compile:
        module.model.network.compile()
    return module, plan_of(student, sampler.per_epoch, None if settings.as_released else items, "base")


def _without_vectors(settings: DistillSettings, run: Run) -> DistillSettings:
    """The settings for knowledge whose items have no vectors, because none has a title. DataError where a term needs
    them."""
    if settings.hint or not settings.own_vectors:
        raise DataError(
            "the knowledge holds no item vectors, because no item has a title",
            location="distill.hint" if settings.hint else "distill.own_vectors",
            remedy="Choose distill.hint=0 and distill.own_vectors=true, or give titles (data.columns.title).",
        )
    if settings.injection.weight:
        run.log("info", "the knowledge holds no item vectors: distill.injection has no effect")
    return replace(settings, injection=replace(settings.injection, weight=0.0))


def _cold_items(
    settings: DistillSettings, of_texts: bool, sequences: Sequences, items: int, vectors: Tensor, device: str
) -> ColdItems | None:
    """The items that get the vectors of others of similar text; None where no vectors of texts are used, or all items
    have training events."""
    cold = cold_items(sequences, items)
    if settings.as_released or not settings.injection.weight or not of_texts or not cold.any():
        return None
    return ColdItems(cold.to(device), vectors)


def _better(
    distilled: SequenceModel, run: Run, validation: Validation, seed: int, device: str
) -> tuple[SequenceModel, str]:
    """The distilled student, or the baseline where the gain on validation rows does not lie above zero; and which."""
    baseline = load_student(run.input(STUDENT_MODEL), device)
    gain = gain_of(distilled, baseline, validation, seed)
    run.note(**gain.facts)
    if gain.chosen == DISTILLED:
        return distilled, DISTILLED
    run.log(
        "warning",
        f"the baseline student is written in place of the distilled one: {gain}, which does not lie above zero; "
        "distill.choose=distilled writes the distilled one anyway",
    )
    return baseline, BASELINE
