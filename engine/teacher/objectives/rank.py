"""The ``rank`` objective: the catalogue is scored after items of a history, and the next item should score highest.

Letters: P supervised positions, D width of the student, K of the correction, R held-out rows, n items.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.backbone.pieces import Ints
from engine.data.ids import PADDING
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Rows, Sequences
from engine.runs.reporter import counted
from engine.runs.run import Run
from engine.stages import VAL_NDCG
from engine.student.cross_entropy import cross_entropy
from engine.teacher.build import TeacherSetup
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.model import Teacher
from engine.teacher.module import Objective, StepPart, StepSplit
from engine.teacher.objectives.head_pretraining import pretrain_head
from engine.teacher.objectives.held_out import RankEvaluation
from engine.teacher.objectives.rank_collator import RankBatch, RankCollator, batch_queries, prompt_lengths
from engine.teacher.prompting.spans import PromptSpans, even_batches, filled_batches, length_batches, training_spans

SCORE_DROPOUT, HIDDEN, TEMPLATE, TEXT_DROPOUT = 2, 3, 4, 5  # purposes of a step's generators


def loss(
    teacher: Teacher,
    batch: RankBatch,
    gates: Tensor,
    student: FrozenStudent,
    without_student: Tensor | None = None,  # [P] bool
    without_text: Tensor | None = None,  # [P] bool
) -> Tensor:
    """Mean over positions of -log softmax(s)_target, s the scores of all items.

    The student's or the text's score is left out where it is said, so that what remains learns to stand alone.
    Elsewhere each has weight 1, as the language model's has, whatever the last evaluation chose.
    """
    head = teacher.head
    assert head is not None and batch.targets is not None
    first = student.table.shape[1]  # [P, D + K]: the student's part, the text's, the language model's
    _, text, states = batch_queries(teacher, batch, gates).tensor_split([first, first + head.query.out_features], dim=1)
    known = batch.students if without_student is None else batch.students * (~without_student)[:, None]
    text = text if without_text is None else text * (~without_text)[:, None]
    table = torch.cat([student.table, head.item_keys(lm_weight=1.0)], dim=1)
    queries = torch.cat([known, text, states], dim=1)
    return cross_entropy(queries, table, batch.targets, student.bias) / max(1, len(batch.targets))


def objective(setup: TeacherSetup, sequences: Sequences, rows: Rows, run: Run) -> Objective:
    """The training and the evaluation of this objective."""
    settings, teacher, student, device = setup.settings, setup.teacher, setup.student, setup.device
    rules = settings.rank
    assert rules is not None and teacher.head is not None  # TeacherSettings.check

    read = counted(run, "read student", "rows")
    states = student.after_events(sequences, device, read)  # [E, D]
    split = StepSplit(settings.accumulate, setup.processes.rank, setup.processes.count)

    def cut(draw: np.random.Generator) -> PromptSpans:
        offsets = draw.integers(0, rules.targets, len(sequences))
        return training_spans(sequences, settings.history, rules.targets, offsets)

    def template_of(step: int) -> str:
        return setup.templates[step_generator(settings.seed, step, TEMPLATE).integers(len(setup.templates))]

    def lengths(step: int, k: int) -> Ints:
        whole = sampler(step)
        return setup.tokenizer.lengths(template_of(step), whole.some(split(len(whole), k)).history)

    sampler = SpanSampler(
        cut, settings.batch, settings.seed, setup.pack is None, setup.tokens, partial(prompt_lengths, setup)
    )
    collator = RankCollator(setup.replayed(lengths, sampler.per_epoch))
    evaluate = RankEvaluation(setup, rows, read, protocol_of(run))
    if rules.pretrain_epochs:
        rate = rules.pretrain_learning_rate
        epochs = counted(run, "pretrain head", "epochs")
        pretrain_head(teacher.head, cut, rules.pretrain_epochs, rate, settings.seed, device, epochs)
        if rules.states:
            teacher.head.freeze_text()
    controls = evaluate.controls(sequences.counts(len(setup.titles)))
    run.note(**{f"validation_{name}": value for name, value in controls.items()})
    run.log("info", "validation NDCG@10 " + ", ".join(f"{name} {value:.4f}" for name, value in controls.items()))

    def part(step: int, k: int) -> StepPart:
        whole = sampler(step)
        chosen = split(len(whole), k)
        some, own, (_, last) = whole.some(chosen), whole.positions_of(chosen), whole.positions
        # Drawn for the whole step, so that its parts do not depend on how it is split.
        shown = whole.history != PADDING
        hidden = np.zeros(shown.shape, dtype=bool)
        hidden[shown] = step_generator(settings.seed, step, HIDDEN).random(int(shown.sum())) < rules.slot_dropout
        draws = (SCORE_DROPOUT, rules.student_score_dropout), (TEXT_DROPOUT, rules.states * rules.text_score_dropout)
        student_out, text_out = (
            torch.from_numpy(step_generator(settings.seed, step, purpose).random(len(last))[own] < share).to(device)
            for purpose, share in draws
        )
        targets = sequences.items[last[own] + 1].astype(np.int64)
        batch = collator(template_of(step), some, states, last[own], targets, hidden[chosen])
        gates = teacher.gates(batch.inputs.users)
        found = loss(teacher, batch, gates, student, student_out, text_out)
        weight = split.weight(len(own), len(last), k, len(whole))
        return StepPart(found, weight, batch.tokens, batch.padding_share, gates)

    return Objective(
        part,
        evaluate,
        lambda step: int(sampler(step).count.sum()),
        sampler.per_epoch,
        VAL_NDCG.name,
        setup.processes.count,
        skips=not rules.states,
    )


class SpanSampler:
    """The spans of each training step, a function of (seed, step) alone."""

    def __init__(
        self,
        cut: Callable[[np.random.Generator], PromptSpans],
        batch: int,
        seed: int,
        alike: bool = False,
        tokens: int | None = None,
        lengths: Callable[[PromptSpans], Ints] | None = None,
    ) -> None:
        """``cut`` draws the spans of an epoch, a step has ``batch`` of them; ``alike``: of similar lengths.

        With ``tokens`` a step has as many spans as have at most so many of them, by their ``lengths``.
        """
        self._cut, self._batch, self._seed, self._alike = cut, batch, seed, alike
        self._tokens, self._lengths = tokens, lengths
        self._epoch = -1
        self._start(0)
        self.per_epoch = len(self._batches)

    def __call__(self, step: int) -> PromptSpans:
        """The spans of a step, counted from 0 over all epochs; the last one of an epoch may be drawn again."""
        epoch, index = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._start(epoch)
        return self._spans.some(self._batches[index % len(self._batches)])

    def _start(self, epoch: int) -> None:
        self._epoch, self._spans = epoch, self._draw(epoch)
        draw = np.random.default_rng((self._seed, 1, epoch))
        if self._tokens is not None and self._lengths is not None:
            batches = filled_batches(self._lengths(self._spans), self._tokens, draw)
        else:
            deal = length_batches if self._alike else even_batches
            batches = deal(self._spans.stop - self._spans.start, self._batch, draw)
        self._batches = batches or [np.zeros(0, dtype=np.int64)]

    def _draw(self, epoch: int) -> PromptSpans:
        return self._cut(np.random.default_rng((self._seed, 0, epoch)))


def step_generator(seed: int, step: int, purpose: int) -> np.random.Generator:
    """The generator of one random decision of a step."""
    return np.random.default_rng((seed, purpose, step))
