"""Checks that a model computes the same in training, at evaluation and at inference, where dropout is off.

Letters: P positions, D width of a state.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from engine.config.settings.evaluate import AUTO
from engine.data.ids import PADDING
from engine.data.sequences import Rows, Sequences
from engine.distill.injection import tables
from engine.doctor import subset
from engine.doctor.case import Case, artifact_of
from engine.doctor.check import Outcome, check, failed, passed, without
from engine.doctor.noise import SAME, difference, noise_of, noiseless
from engine.doctor.teacher import probe_of
from engine.runs.reader import history
from engine.stages import ADAPTER, DISTILLED_MODEL, SEQUENCES, STUDENT_MODEL, VAL_NDCG, VALIDATION, Artifact, makes
from engine.student.batches import histories
from engine.student.model import load_student
from engine.student.training_plan import sampler_of
from engine.student.validation import Validation, user_vectors
from engine.teacher.frozen_student import FrozenStudent

USERS = 6  # whose windows are compared
SWAPPED = 0.01  # NDCG of the subset's rows that items of nearly equal score may change on a GPU
ROWS = 8  # held-out rows that are evaluated twice
DROPOUT = "dropout at evaluation: the model is used in training mode, or a part of it drops out whatever the mode"


@check(
    "evaluation-mode",
    "student",
    "teacher",
    "distill",
    detects="dropout at evaluation, a training mode that differs by more than dropout, a reported metric of another "
    "model than the one that was kept",
    cause=DROPOUT,
    remedy="Models are evaluated after eval(), and a part that drops out asks self.training: see "
    "engine/student/dropout.py.",
)
def evaluation_mode(case: Case, stage: str) -> Outcome:
    """A model is evaluated without dropout, and training without dropout computes the same as evaluation."""
    noise = case.once(f"{stage} noise", lambda: _noise(case, stage))
    if noise > SAME:
        return failed(f"two evaluations of the same histories, or one without dropout, differ by {noise:.2g}")
    trainable = case.trainable(stage)
    module = trainable.fresh()
    with noiseless(module):
        evaluated = trainable.loss(0)[0].detach()
        for part in module.train().modules():
            if isinstance(part, _BatchNorm):  # its statistics are those of the batch in training, and meant to be
                part.eval()
        trained = trainable.loss(0)[0].detach()
    trainable.fresh()
    if (change := difference(evaluated, trained)) > SAME:
        return failed(
            f"loss of one batch {float(evaluated):.4f} in evaluation mode and {float(trained):.4f} in training mode, "
            "both without dropout",
            "training mode differs from evaluation by more than dropout: a part asks for the mode that should not",
            "Look for self.training in the network.",
        )
    room = SAME if case.device == "cpu" else SWAPPED
    if not makes(stage, ADAPTER) and abs((reported := _reported(case, stage)) - (own := _own(case, stage))) > room:
        return failed(
            f"{VAL_NDCG.name} {reported:.4f} was reported, the model that was kept has {own:.4f}",
            "dropout at evaluation while training, or other weights were kept than those that were evaluated",
            "The training evaluates in evaluation mode and keeps the weights of its best evaluation: see "
            "engine/training/callback.py.",
        )
    return passed(f"evaluated twice and without dropout: {noise:.1g}; training mode without dropout: {change:.1g}")


@check(
    "positions",
    "student",
    "distill",
    detects="states at inference that differ from those of training after the same history",
    cause="positions are counted from another end, histories are cut or padded in another way, or inference reads "
    "other item vectors than training",
    remedy="Compare PackedSequences.order in training (BatchSampler) and at inference (of_histories, user_vectors).",
)
def positions(case: Case, stage: str) -> Outcome:
    """After the same history a model has the same state in training, in evaluations and where the teacher reads it."""
    module = case.trainable(stage).fresh()
    with torch.no_grad(), noiseless(module):
        windows = _windows(case, module, stage)
        model = module.merged() if _distils(stage) else module.model
        rows = windows.rows
        device, each = str(windows.states.device), _one_sequence_each(rows)
        found = {
            "validation": user_vectors(model, rows.items, rows.start, rows.stop, device),
            "evaluation": model.user_vectors(histories(rows, slice(None), model.max_length).to(device)),
            "the teacher": FrozenStudent.of(model).after_events(each, device, lambda *_: None)[each.offsets[1:] - 1],
        }
    changes = {name: difference(windows.states.cpu(), states.cpu()) for name, states in found.items()}
    return without(
        [f"{name} has other states, by {change:.2g}" for name, change in changes.items() if change > SAME],
        f"states after {len(rows)} histories of up to {int((rows.stop - rows.start).max())} items are the same",
    )


@dataclass(frozen=True)
class Windows:
    """Windows of a training batch, and the state of training at positions whose window is all that inference reads."""

    rows: Rows  # the histories up to these positions
    states: Tensor  # [P, D]


def _windows(case: Case, module: Any, stage: str) -> Windows:
    """Of some users and of one whose history is longer than what the model reads."""
    whole = subset.sequences(Sequences.load(case.dry_input_of(stage, SEQUENCES)), USERS)
    longest = module.model.max_length
    items = np.concatenate([whole.items, np.resize(whole.items, longest + 3)])
    offsets = np.append(whole.offsets, len(items))
    sequences = Sequences(items, offsets, np.arange(len(offsets) - 1))
    batch = sampler_of(replace(module.model.settings, batch=len(sequences)), sequences, case.device)(0)
    read = tables(module.model, module.injection, module.settings.injection.tables)[0] if _distils(stage) else None
    states = module.model.encode(batch.items, batch.packed, read)
    last = batch.events.cpu().numpy() - 1  # [P] index of each position's own item
    user = np.searchsorted(offsets, last, side="right") - 1
    order, real = batch.packed.order.cpu().numpy(), batch.items.cpu().numpy() != PADDING
    whole_history = (order == last - offsets[user]) | (order == longest - 1)
    chosen = np.flatnonzero(real & whole_history)
    # A row needs a target behind its history, which no model reads.
    rows = Rows(np.append(items, items[:1]), offsets[user[chosen]], last[chosen] + 1, user[chosen])
    return Windows(rows, states[torch.from_numpy(chosen).to(states.device)])


def _one_sequence_each(rows: Rows) -> Sequences:
    """The histories as sequences of their own: behind the last event of one the teacher reads all that it can."""
    events = [np.arange(start, stop) for start, stop in zip(rows.start, rows.stop, strict=True)]
    lengths = np.cumsum([0, *map(len, events)])
    return Sequences(rows.items[np.concatenate(events)], lengths, np.arange(len(events)))


def _noise(case: Case, stage: str) -> float:
    """``noise_of`` the model as later stages load it."""
    if makes(stage, ADAPTER):
        return probe_of(case).noise
    model = load_student(case.artifact(_model_of(stage)), case.device)
    history = histories(case.rows["validation"], slice(0, ROWS), model.max_length).to(case.device)
    return noise_of(model, lambda: model.user_vectors(history))


def _distils(stage: str) -> bool:
    return makes(stage, DISTILLED_MODEL)


def _model_of(stage: str) -> Artifact:
    return DISTILLED_MODEL if _distils(stage) else STUDENT_MODEL


def _reported(case: Case, stage: str) -> float:
    """The best validation NDCG@10 that the dry run reported."""
    evaluations = history(case.dry_run(stage).folder).evaluations
    return max(evaluation.values[VAL_NDCG.name] for evaluation in evaluations)


def _own(case: Case, stage: str) -> float:
    """That of the model which the dry run wrote, on the same rows."""
    model = load_student(artifact_of(case.dry_run(stage).folder, _model_of(stage)), case.device)
    rows = Rows.load(case.dry_input_of(stage, VALIDATION))
    with noiseless(model):
        return Validation(rows, case.device, case.hides_seen(AUTO))(model.eval())[VAL_NDCG.name]
