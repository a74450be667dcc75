"""The ``distill`` stage: the student trained again, with the teacher's knowledge."""

from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.config import Config
from engine.config.settings.distill import BETTER, DistillSettings
from engine.data import ids
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Sequences
from engine.distill import losses
from engine.distill.gain import gain_of
from engine.distill.module import DistillModule
from engine.distill.teacher_targets import TeacherTargets
from engine.errors import ConfigError, DataError
from engine.knowledge.rankings import Rankings
from engine.runs.run import Run
from engine.stages import DISTILLED, DISTILLED_MODEL, ITEM_VECTORS, LAST_POSITION, RANKINGS, STUDENT_MODEL
from engine.student.cold_items import ColdItems, cold_items
from engine.student.model import SequenceModel, load_student, save_student
from engine.student.training_plan import load_inputs, plan_of, sampler_of
from engine.student.validation import Validation
from engine.training import fit


def run(config: Config, run: Run) -> None:
    """Train to the best validation NDCG@10, then write the model, or the baseline, as a plain student."""
    settings, device = config.distill, fit.device(config.trainer)
    student = settings.student
    if settings.as_released and config.trainer.devices > 1:
        raise ConfigError(
            "the published arithmetic multiplies means over a whole batch, which several processes cannot share",
            location="distill.as_released",
            remedy="Choose trainer.devices=1, or distill.as_released=false.",
        )
    items, sequences, rows = load_inputs(run)
    teacher_targets = _targets(settings, sequences, run, device)
    vectors = load_file(run.input(ITEM_VECTORS))["vectors"]
    if not vectors.shape[1]:
        settings = _without_vectors(settings, run)
    torch.manual_seed(student.seed)
    last_position = _last_position(settings, sequences, run, device)
    sampler = sampler_of(
        student,
        sequences,
        device,
        config.trainer.devices,
        last_position=last_position is not None,
        same_shapes=config.trainer.cuda_graph == "true",
    )
    targets = np.delete(sequences.items, sequences.offsets[:-1])  # a user's first event is never a target
    counts = torch.from_numpy(np.bincount(targets, minlength=ids.rows(items)))
    module = DistillModule(
        SequenceModel(items, student),
        settings,
        sampler,
        teacher_targets,
        vectors,
        losses.propensities(counts, settings.dro.power),
        config.trainer.report_every,
        last_position,
        _cold_items(settings, config.knowledge.of_texts, sequences, items, vectors, device),
    ).to(device)
    if config.trainer.compile:
        module.model.network.compile()
    validation = Validation(rows, device, protocol_of(run))
    fit.fit(
        module,
        plan_of(student, sampler.per_epoch, None if settings.as_released else items, "base"),
        config.trainer,
        run,
        groups=module.groups(),
        evaluate=lambda tick: validation(module.merged(), tick),
        positions=sampler.positions,
    )
    model = module.to(device).merged()
    if settings.choose == BETTER:
        model = _better(model, run, validation, settings.seed, device)
    with run.output(DISTILLED_MODEL) as path:
        save_student(path, model)
    run.note(items=items, users=len(sequences))


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


def _better(distilled: SequenceModel, run: Run, validation: Validation, seed: int, device: str) -> SequenceModel:
    """The distilled student, or the baseline where the gain on validation rows does not lie above zero."""
    baseline = load_student(run.input(STUDENT_MODEL), device)
    gain = gain_of(distilled, baseline, validation, seed)
    run.note(**gain.facts)
    if gain.chosen == DISTILLED:
        return distilled
    run.log(
        "warning",
        f"the baseline student is written in place of the distilled one: {gain}, which does not lie above zero; "
        "distill.choose=distilled writes the distilled one anyway",
    )
    return baseline


def _targets(settings: DistillSettings, sequences: Sequences, run: Run, device: str) -> TeacherTargets:
    """The teacher's rankings as far as they are used. DataError where ``select=all`` and rows are missing."""
    rankings = Rankings.load(run.input(RANKINGS))
    events = len(sequences.items) - len(sequences)  # all but each user's first
    run.note(answered=len(rankings.rows), answered_share=len(rankings.rows) / max(1, events))
    if settings.select == "all" and len(rankings.rows) < events:
        raise DataError(
            f"the teacher answered {len(rankings.rows)} of {events} training rows",
            location="distill.select = all",
            remedy="Choose distill.select=asked, or ask about every row: knowledge=all.",
        )
    top = max(settings.ranking.top, settings.kl.top)
    written = rankings.items.shape[1]
    if written < top:
        run.log("warning", f"the knowledge holds {written} items a row; distill asks for {top}")
    return TeacherTargets(rankings, len(sequences.items), top, device)


def _last_position(settings: DistillSettings, sequences: Sequences, run: Run, device: str) -> TeacherTargets | None:
    """The teacher's targets at the last position of each history, where they have a weight and exist."""
    if not settings.last_position:
        return None
    rankings = Rankings.load(run.input(LAST_POSITION)) if run.has(LAST_POSITION) else None
    if rankings is None or not len(rankings.rows):
        run.log(
            "warning",
            "the knowledge holds no last-position targets, so distill.last_position has no effect: files imported by "
            "knowledge.files hold training rows only, and knowledge.last_position=false leaves them out",
        )
        return None
    run.note(last_position_answered=len(rankings.rows))
    return TeacherTargets(rankings, len(sequences.items) + 1, settings.kl.top, device)
