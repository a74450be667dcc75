"""Questions as batches, and the teacher's answers: vectors that score the whole catalogue after a history.

Letters: Q questions of a batch, T tokens, P supervised positions, D width of the student, K of the correction, n items.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.backbone.pieces import Ints
from engine.data.ids import PADDING
from engine.student.validation import Tick
from engine.teacher.head import Seen
from engine.teacher.model import Inputs, Teacher
from engine.teacher.prompting.prompts import COMMA, HISTORY
from engine.teacher.prompting.spans import PromptSpans, in_batches, within
from engine.teacher.prompting.tokenizer import PromptTokenizer
from engine.teacher.users import Student

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Asked:
    """A batch of questions, ready for the model."""

    inputs: Inputs
    places: Tensor  # [P] supervised positions in the flat [Q T] tokens
    students: Tensor  # [P, D] the student's states there
    seen: Seen  # what was shown before them
    targets: Tensor | None  # [P] item ids
    tokens: int  # real ones
    padding_share: float


class RankCollator:
    """Turns questions into batches of one template."""

    def __init__(self, book: PromptTokenizer, student: Student, slots: bool, device: str) -> None:
        self.book, self.slots, self.device = book, slots, torch.device(device)
        self._table, self._bias = student.table.cpu(), student.bias

    def __call__(
        self,
        template: str,
        questions: PromptSpans,
        states: Tensor,  # [Q', D] the student's states that ``state`` points at
        state: Ints,  # [P] one for every supervised position, in the order of ``questions.asked``
        targets: Ints | None = None,  # [P] item ids
        hidden: Flags | None = None,  # [Q, L] items shown whose slots keep their token's own embedding
    ) -> Asked:
        """Each question's gate is that of the user before its first answer: no later item can be read off it."""
        shown = questions.history
        prompts = self.book.assemble(template, shown, slots=self.slots)
        words = self.book.vocabulary
        slot = np.flatnonzero(np.isin(prompts.ids, (words.history_slot, words.plain_slot)))
        question, last = questions.asked
        read = last - questions.start[question] + 1  # items shown up to and with the last one before the answer
        if template.endswith((HISTORY, HISTORY + COMMA)):
            place = slot[_last(np.bincount(slot // prompts.ids.shape[1], minlength=len(questions)), questions.count)]
            if template.endswith(COMMA):  # where the language model is about to name the next title
                place = place + self.book.comma
        else:
            place = question * prompts.ids.shape[1] + prompts.length[question] - 1
        filled = np.flatnonzero(prompts.items)
        if hidden is not None and self.slots:
            filled = filled[~hidden[:, : shown.shape[1]][prompts.history != PADDING]]
        first = np.cumsum(questions.count) - questions.count
        gate = torch.zeros(len(questions), states.shape[1])
        some = questions.count > 0
        students = states[torch.from_numpy(state)]
        gate[torch.from_numpy(some)] = students[torch.from_numpy(first[some])]
        inputs = Inputs(
            ids=self._moved(prompts.ids),
            slots=self._moved(filled),
            vectors=self._table[torch.from_numpy(prompts.items.reshape(-1)[filled])].to(self.device),
            users=gate.to(self.device),
            mask=None,
        )
        return Asked(
            inputs,
            self._moved(place),
            students.to(self.device),
            Seen(self._moved(shown), self._moved(question), self._moved(read)),
            None if targets is None else self._moved(targets),
            int(prompts.length.sum()),
            prompts.padding_share,
        )

    def _moved(self, values: Ints) -> Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.int64)).to(self.device)


def _last(slots: Ints, count: Ints) -> Ints:
    """Places, among all slots in order, of each question's last ``count`` ones."""
    question = np.repeat(np.arange(len(count)), count)
    return (np.cumsum(slots) - count)[question] + within(count)


def answers(teacher: Teacher, asked: Asked, gates: Tensor) -> Tensor:  # -> [P, D + K]
    """The vector that scores the catalogue, at every supervised position."""
    states = teacher.states(asked.inputs, gates)
    assert teacher.head is not None
    return teacher.head.users(asked.students, states.reshape(-1, states.shape[-1])[asked.places], asked.seen)


@torch.no_grad()
def answer_all(
    teacher: Teacher,
    asking: RankCollator,
    template: str,
    questions: PromptSpans,
    states: Tensor,
    state: Ints,  # [P] as in RankCollator
    batch: int,
    tick: Tick,
) -> tuple[Tensor, Tensor]:
    """Answers [P, D + K] of all questions in their order, and each question's expert weights [Q, E]; on the CPU."""
    assert teacher.head is not None
    width = states.shape[1] + teacher.head.width
    users, weights = torch.zeros(len(state), width), torch.zeros(0)
    begin = np.cumsum(questions.count) - questions.count
    for chosen in in_batches(questions.stop - questions.start, batch):
        some = questions.some(chosen)
        positions = np.repeat(begin[chosen], some.count) + within(some.count)
        asked = asking(template, some, states, state[positions])
        gates = teacher.gates(asked.inputs.users)
        if not len(weights):
            weights = torch.zeros(len(questions), gates.shape[1])
        users[torch.from_numpy(positions)] = answers(teacher, asked, gates).float().cpu()
        weights[torch.from_numpy(chosen)] = gates.float().cpu()
        tick()
    return users, weights
