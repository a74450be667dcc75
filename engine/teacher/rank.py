"""The ``rank`` objective: after items of a history the catalogue is scored, and the item that came next should win.

Letters: P supervised positions, D width of the student, K of the correction, R held-out rows, n items.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine import ranking
from engine.backbone.pieces import Ints
from engine.data.sequences import Rows, Sequences
from engine.runs.run import Run
from engine.settings.teacher import Teacher as Settings
from engine.stages import VAL_NDCG, VAL_RECALL
from engine.student.cross_entropy import cross_entropy
from engine.student.validation import Tick
from engine.teacher.asking import Asked, Asking, answer_all, answers
from engine.teacher.build import Built
from engine.teacher.gate import balance
from engine.teacher.model import Teacher
from engine.teacher.module import Part, Task
from engine.teacher.questions import Questions, in_batches, of_rows, of_training
from engine.teacher.users import Student

BLIND, HIDDEN, TEMPLATE = 2, 3, 4  # what a generator of a step is for


def loss(teacher: Teacher, asked: Asked, gates: Tensor, student: Student, blind: Tensor | None = None) -> Tensor:
    """Mean over positions of -log softmax(s)_target, s the scores of all items.

    Where ``blind`` [P] is true the student's score is left out, so that the correction learns to stand alone.
    """
    assert teacher.head is not None and asked.targets is not None
    users = answers(teacher, asked, gates)
    bias = student.bias
    if blind is not None:
        width = student.table.shape[1]
        users = torch.cat([users[:, :width] * (~blind)[:, None], users[:, width:]], dim=1)
    table = teacher.head.table(student.table)
    return cross_entropy(users, table, asked.targets, bias) / max(1, len(asked.targets))


def task(
    settings: Settings, built: Built, sequences: Sequences, rows: Rows, popularity: Ints, run: Run, device: str
) -> Task:
    """The training and the evaluation of this objective."""
    teacher, student, rules = built.teacher, built.student, settings.rank
    assert rules is not None and teacher.head is not None  # Teacher.check

    def alive() -> None:
        run.progress(0, 1, "read student", unit="tables")

    states = student.after_events(sequences, device, alive)  # [E, D]
    asking = Asking(built.book, student, settings.slots, device)
    steps = Steps(
        lambda draw: of_training(
            sequences, settings.history, rules.targets, draw.integers(0, rules.targets, len(sequences))
        ),
        settings.batch,
        settings.seed,
    )

    def part(step: int, k: int) -> Part:
        whole = steps(step)
        some = whole.some(slice(k, None, settings.accumulate))
        template = built.templates[drawn(settings.seed, step, TEMPLATE).integers(len(built.templates))]
        hide = drawn(settings.seed, step * settings.accumulate + k, HIDDEN)
        _, place = some.asked
        following = sequences.items[place + 1].astype(np.int64)
        asked = asking(
            template, some, states, place, following, hidden=lambda slots: hide.random(slots) < rules.hide_slots
        )
        blind = drawn(settings.seed, step * settings.accumulate + k, BLIND).random(len(place)) < rules.blind
        gates = teacher.gates(asked.inputs.users)
        found = loss(teacher, asked, gates, student, torch.from_numpy(blind).to(device))
        share = len(place) / max(1, int(whole.count.sum()))
        return Part(found, share, asked.tokens, asked.padding_share, gates)

    held_out = _HeldOut(settings, built, asking, rows, run, device)
    run.note(**{f"validation_{name}": value for name, value in held_out.controls(popularity).items()})
    return Task(part, held_out, lambda step: int(steps(step).count.sum()), steps.per_epoch)


class _HeldOut:
    """The validation rows, ranked by the teacher: full ranking, seen items hidden."""

    def __init__(self, settings: Settings, built: Built, asking: Asking, rows: Rows, run: Run, device: str) -> None:
        if settings.evaluate_rows is not None and settings.evaluate_rows < len(rows):
            order = np.random.default_rng(settings.seed).permutation(len(rows))[: settings.evaluate_rows]
            rows = Rows(rows.items, rows.start[order], rows.stop[order], rows.users[order])
        self.settings, self.built, self.asking, self.run, self.device = settings, built, asking, run, device
        self.questions = of_rows(rows, settings.history + 1)
        self.states = built.student.after_rows(rows, device, lambda: run.progress(0, 1, "read student", unit="tables"))
        self.targets = torch.from_numpy(rows.targets.astype(np.int64)).to(device)
        self.seen = tuple(
            torch.from_numpy(part.astype(np.int64)).to(device) for part in (rows.items, rows.start, rows.stop)
        )
        self.asked = np.flatnonzero(self.questions.count)  # an empty history has nothing to be asked after

    def __call__(self, tick: Tick) -> dict[str, float]:
        """val_recall@10 and val_ndcg@10 of the teacher, and how its gate treats these users."""
        built = self.built
        users, gates = answer_all(
            built.teacher,
            self.asking,
            built.templates[0],
            self.questions,
            self.states,
            self.asked,
            4 * self.settings.batch,
            tick,
        )
        assert built.teacher.head is not None
        whole = torch.zeros(len(self.questions), users.shape[1])
        whole[torch.from_numpy(self.asked)] = users
        table = built.teacher.head.table(built.student.table)
        values = self._metrics(whole.to(self.device), table, built.student.bias)
        return values | {"gate_entropy": balance(gates)[1]}

    def controls(self, popularity: Ints) -> dict[str, float]:  # [n + 1]
        """NDCG@10 of the frozen student alone and of popularity, on the same rows in the same way."""
        table = torch.from_numpy(popularity).float().to(self.device)[:, None]
        ones = torch.ones(len(self.questions), 1, device=self.device)
        student = self.built.student
        return {
            "student": self._metrics(self.states.to(self.device), student.table, student.bias)[VAL_NDCG.name],
            "popularity": self._metrics(ones, table, None)[VAL_NDCG.name],
        }

    def _metrics(self, users: Tensor, table: Tensor, bias: Tensor | None) -> dict[str, float]:
        items, start, stop = self.seen
        ranks = ranking.ranks_in_blocks(users, table, self.targets, bias, (items, start, stop))
        return {
            VAL_RECALL.name: float(ranking.hit_rate(ranks, 10).mean()),
            VAL_NDCG.name: float(ranking.ndcg(ranks, 10).mean()),
        }


class Steps:
    """Training batches of questions, each a function of (seed, step) alone."""

    def __init__(self, cut: Callable[[np.random.Generator], Questions], batch: int, seed: int) -> None:
        """``cut`` draws the questions of an epoch."""
        self._cut, self._batch, self._seed = cut, batch, seed
        self._epoch, self._questions, self._batches = -1, self._draw(0), [np.zeros(0, dtype=np.int64)]
        self.per_epoch = max(1, -(-len(self._questions) // batch))

    def __call__(self, step: int) -> Questions:
        """The questions of a step, counted from 0 over all epochs; the last one of an epoch may be drawn again."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._questions = epoch, self._draw(epoch)
            lengths = self._questions.stop - self._questions.start
            self._batches = in_batches(lengths, self._batch, np.random.default_rng((self._seed, 1, epoch)))
        return self._questions.some(self._batches[place % len(self._batches)])

    def _draw(self, epoch: int) -> Questions:
        return self._cut(np.random.default_rng((self._seed, 0, epoch)))


def drawn(seed: int, step: int, what: int) -> np.random.Generator:
    """The generator of one random decision of a step."""
    return np.random.default_rng((seed, what, step))
