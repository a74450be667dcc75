"""The ``rank`` objective: after items of a history the catalogue is scored, and the item that came next should win.

Letters: P supervised positions, D width of the student, K of the correction, R held-out rows, n items.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.backbone.pieces import Ints
from engine.config.settings.teacher import TeacherSettings
from engine.data.ids import PADDING
from engine.data.sequences import Rows, Sequences
from engine.runs.read_only import rank
from engine.runs.run import Run
from engine.stages import VAL_NDCG
from engine.student.cross_entropy import cross_entropy
from engine.teacher.build import Built
from engine.teacher.model import Teacher
from engine.teacher.module import Part, Shares, Task
from engine.teacher.objectives.head_pretraining import warm
from engine.teacher.objectives.held_out import HeldOut
from engine.teacher.objectives.rank_collator import Asked, RankCollator, answers
from engine.teacher.prompting.spans import PromptSpans, in_batches, of_training, within
from engine.teacher.users import Student

SCORE_DROPOUT, HIDDEN, TEMPLATE = 2, 3, 4  # what a generator of a step is for


def loss(teacher: Teacher, asked: Asked, gates: Tensor, student: Student, dropped: Tensor | None = None) -> Tensor:
    """Mean over positions of -log softmax(s)_target, s the scores of all items.

    Where ``dropped`` [P] is true the student's score is left out, so that the correction learns to stand alone;
    elsewhere it counts in full, as the language model's correction does, whatever the last evaluation chose.
    """
    assert teacher.head is not None and asked.targets is not None
    correction = answers(teacher, asked, gates)[:, student.table.shape[1] :]
    known = asked.students if dropped is None else asked.students * (~dropped)[:, None]
    users = torch.cat([known, correction], dim=1)
    table = torch.cat([student.table, teacher.head.key(voice=1.0)], dim=1)
    return cross_entropy(users, table, asked.targets, student.bias) / max(1, len(asked.targets))


def task(
    settings: TeacherSettings,
    built: Built,
    sequences: Sequences,
    rows: Rows,
    popularity: Ints,
    run: Run,
    device: str,
    processes: int,
) -> Task:
    """The training and the evaluation of this objective."""
    teacher, student, rules = built.teacher, built.student, settings.rank
    assert rules is not None and teacher.head is not None  # Teacher.check

    def alive() -> None:
        run.progress(0, 1, "prepare", unit="tables")

    states = student.after_events(sequences, device, alive)  # [E, D]
    asking = RankCollator(built.book, student, settings.slots, device)

    shares = Shares(settings.accumulate, rank(), processes)

    def cut(draw: np.random.Generator) -> PromptSpans:
        offsets = draw.integers(0, rules.targets, len(sequences))
        return of_training(sequences, settings.history, rules.targets, offsets)

    steps = Steps(cut, settings.batch, settings.seed)
    held_out = HeldOut(settings, rules, built, asking, rows, device, alive)
    if rules.pretrain_epochs:
        warm(teacher.head, cut, rules.pretrain_epochs, rules.pretrain_learning_rate, settings.seed, device, alive)
        if rules.states:
            teacher.head.settle()
    controls = held_out.controls(popularity)
    run.note(**{f"validation_{name}": value for name, value in controls.items()})
    run.log("info", "validation NDCG@10 " + ", ".join(f"{name} {value:.4f}" for name, value in controls.items()))

    def part(step: int, k: int) -> Part:
        whole = steps(step)
        chosen = shares(len(whole), k)
        some, (_, place) = whole.some(chosen), whole.asked
        # Drawn for the whole step, so that its parts do not depend on how it is cut.
        shown = whole.history != PADDING
        hidden = np.zeros(shown.shape, dtype=bool)
        hidden[shown] = drawn(settings.seed, step, HIDDEN).random(int(shown.sum())) < rules.slot_dropout
        dropped = drawn(settings.seed, step, SCORE_DROPOUT).random(len(place)) < rules.student_score_dropout
        template = built.templates[drawn(settings.seed, step, TEMPLATE).integers(len(built.templates))]
        own = np.repeat((np.cumsum(whole.count) - whole.count)[chosen], some.count) + within(some.count)
        following = sequences.items[place[own] + 1].astype(np.int64)
        asked = asking(template, some, states, place[own], following, hidden[chosen])
        gates = teacher.gates(asked.inputs.users)
        found = loss(teacher, asked, gates, student, torch.from_numpy(dropped[own]).to(device))
        return Part(found, shares.weight(len(own), len(place), k, len(whole)), asked.tokens, asked.padding_share, gates)

    asked_for = lambda step: int(steps(step).count.sum())  # noqa: E731
    return Task(part, held_out, asked_for, steps.per_epoch, VAL_NDCG.name, processes, skips=not rules.states)


class Steps:
    """Training batches of questions, each a function of (seed, step) alone."""

    def __init__(self, cut: Callable[[np.random.Generator], PromptSpans], batch: int, seed: int) -> None:
        """``cut`` draws the questions of an epoch."""
        self._cut, self._batch, self._seed = cut, batch, seed
        self._epoch, self._questions, self._batches = -1, self._draw(0), [np.zeros(0, dtype=np.int64)]
        self.per_epoch = max(1, -(-len(self._questions) // batch))

    def __call__(self, step: int) -> PromptSpans:
        """The questions of a step, counted from 0 over all epochs; the last one of an epoch may be drawn again."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._questions = epoch, self._draw(epoch)
            lengths = self._questions.stop - self._questions.start
            self._batches = in_batches(lengths, self._batch, np.random.default_rng((self._seed, 1, epoch)))
        return self._questions.some(self._batches[place % len(self._batches)])

    def _draw(self, epoch: int) -> PromptSpans:
        return self._cut(np.random.default_rng((self._seed, 0, epoch)))


def drawn(seed: int, step: int, what: int) -> np.random.Generator:
    """The generator of one random decision of a step."""
    return np.random.default_rng((seed, what, step))
