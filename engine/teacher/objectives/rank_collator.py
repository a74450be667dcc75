"""Batches of the rank objective, and the query vectors that score the whole catalogue after a history.

Letters: Q prompts of a batch, T tokens, P supervised positions, D width of the student, K of the correction, n items.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.backbone.pieces import Ints
from engine.data.ids import PADDING
from engine.student.validation import Tick
from engine.teacher.ahead import ahead
from engine.teacher.build import TeacherSetup
from engine.teacher.head import VisibleHistory
from engine.teacher.model import Inputs, Teacher, packed
from engine.teacher.prompting.prompts import COMMA, predicts_each_item
from engine.teacher.prompting.spans import PromptSpans, length_batches, within
from engine.teacher.shapes import Pack, token_batches

Flags = NDArray[np.bool_]
PROMPTS_AT_ONCE = 4096  # whose tokens are counted together


@dataclass(frozen=True)
class RankBatch:
    """A batch of prompts as the model reads it."""

    inputs: Inputs
    positions: Tensor  # [P] supervised positions in the flat [Q T] tokens
    students: Tensor  # [P, D] the student's states there
    visible: VisibleHistory
    targets: Tensor | None  # [P] item ids
    tokens: int  # without padding
    padding_share: float


def visible_history(spans: PromptSpans, device: str) -> VisibleHistory:
    """The items shown before each position's target, the last one included."""
    prompt, last = spans.positions
    count = last - spans.start[prompt] + 1
    return VisibleHistory(*(torch.from_numpy(part).to(device) for part in (spans.history, prompt, count)))


class RankCollator:
    """Turns spans into batches of one template."""

    def __init__(self, setup: TeacherSetup) -> None:
        self.tokenizer, self.slots, self.device = setup.tokenizer, setup.settings.slots, setup.device
        self.pack = setup.pack
        self._table = setup.student.table.cpu()

    def __call__(
        self,
        template: str,
        spans: PromptSpans,
        states: Tensor,  # [Q', D] the student's states that ``state`` indexes
        state: Ints,  # [P] one for every supervised position, in the order of ``spans.positions``
        targets: Ints | None = None,  # [P] item ids
        hidden: Flags | None = None,  # [Q, L] items shown whose slots keep their token's own embedding
    ) -> RankBatch:
        """Each prompt's gate is that of the user before its first target, so it holds no information on later items."""
        visible, students = visible_history(spans, self.device), states[torch.from_numpy(state)]
        prompts = self.tokenizer.assemble(template, spans.history, slots=self.slots)
        filled = np.flatnonzero(prompts.items)
        if hidden is not None and self.slots:
            filled = filled[~hidden[:, : prompts.history.shape[1]][prompts.history != PADDING]]
        gate, some = torch.zeros(len(spans), states.shape[1]), spans.count > 0
        gate[torch.from_numpy(some)] = students[torch.from_numpy(spans.first_position[some])]
        inputs = Inputs(
            ids=self._moved(prompts.ids),
            slots=self._moved(filled),
            vectors=self._table[torch.from_numpy(prompts.items.reshape(-1)[filled])].to(self.device),
            users=gate.to(self.device),
            mask=None,
        )
        inputs, padding = packed(inputs, prompts.length, self.pack)
        return RankBatch(
            inputs,
            self._moved(self._supervised(template, spans, prompts.ids, prompts.length)),
            students.to(self.device),
            visible,
            None if targets is None else self._moved(targets),
            int(prompts.length.sum()),
            padding,
        )

    def _supervised(self, template: str, spans: PromptSpans, ids: Ints, length: Ints) -> Ints:  # [Q, T], [Q] -> [P]
        """Flat index of the token after which each target is predicted: a slot, its comma, or the prompt's end."""
        words, columns = self.tokenizer.vocabulary, ids.shape[1]
        if not predicts_each_item(template):
            prompt, _ = spans.positions
            ends: Ints = prompt * columns + length[prompt] - 1
            return ends
        slot: Ints = np.flatnonzero(np.isin(ids, (words.history_slot, words.plain_slot)))
        chosen: Ints = slot[_last(np.bincount(slot // columns, minlength=len(spans)), spans.count)]
        return chosen + self.tokenizer.comma if template.endswith(COMMA) else chosen  # a title follows the comma

    def _moved(self, values: Ints) -> Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.int64)).to(self.device)


def _last(slots: Ints, count: Ints) -> Ints:
    """Indices, among all slots in order, of each prompt's last ``count`` ones."""
    prompt = np.repeat(np.arange(len(count)), count)
    return (np.cumsum(slots) - count)[prompt] + within(count)


def batch_queries(teacher: Teacher, batch: RankBatch, gates: Tensor) -> Tensor:  # -> [P, D + K]
    """The query vector of every supervised position."""
    assert teacher.head is not None
    states = None
    if teacher.head.states:  # a head of text vectors alone needs no language model
        states = teacher.states(batch.inputs, gates).flatten(end_dim=1)[batch.positions]
    return teacher.head.queries(batch.students, states, batch.visible)


@torch.no_grad()
def all_queries(
    setup: TeacherSetup,
    spans: PromptSpans,
    states: Tensor,
    state: Ints,
    batch: int,
    tick: Tick,
    batch_tokens: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Query vectors [P, D + K] of all spans in their order, and each prompt's expert weights [Q, E]; on the CPU.

    ``states`` and ``state`` as in RankCollator. ``batch`` prompts or ``batch_tokens`` tokens are read at once. Several
    processes compute some of the batches each, and all have the result.
    """
    teacher, template = setup.teacher, setup.templates[0]
    assert teacher.head is not None
    queries, gates = torch.zeros(len(state), states.shape[1] + teacher.head.width), torch.zeros(0)
    batches, processes = list(_batches(setup, spans, batch, batch_tokens)), setup.processes

    def made(given: tuple[tuple[Ints, Pack | None], bool]) -> tuple[Ints, Ints, RankBatch, bool]:
        (chosen, pack), own = given
        positions = spans.positions_of(chosen)
        collator = RankCollator(replace(setup, pack=pack))
        return chosen, positions, collator(template, spans.some(chosen), states, state[positions]), own

    done = 0
    for chosen, positions, ready, own in ahead(made, processes.dealt(batches)):
        weights = teacher.gates(ready.inputs.users)
        if not len(gates):
            gates = torch.zeros(len(spans), weights.shape[1])
        found = batch_queries(teacher, ready, weights)
        if own:
            queries[torch.from_numpy(positions)] = found.float().cpu()
            gates[torch.from_numpy(chosen)] = weights.float().cpu()
        done = min(done + processes.count * len(chosen), len(spans))
        tick(done, len(spans))
    return (queries, gates) if len(batches) <= 1 else (processes.total(queries), processes.total(gates))


def _batches(
    setup: TeacherSetup, spans: PromptSpans, batch: int, batch_tokens: int | None
) -> Iterable[tuple[Ints, Pack | None]]:
    """Indices of each batch, and how its prompts are packed.

    Where passes are replayed, a batch has as many tokens as ``batch`` prompts have on average.
    """
    replays = setup.teacher.passes is not None and len(spans) > batch
    if setup.pack is None or (batch_tokens is None and not replays):
        return ((chosen, setup.pack) for chosen in length_batches(spans.stop - spans.start, batch))
    lengths = prompt_lengths(setup, spans)
    tokens = int(np.ceil(batch * lengths.mean())) if batch_tokens is None else batch_tokens
    found = token_batches(lengths, tokens, setup.device)
    return found if replays else ((chosen, setup.pack) for chosen, _ in found)


def prompt_lengths(setup: TeacherSetup, spans: PromptSpans) -> Ints:  # -> [Q]
    """The tokens of each prompt of the first template."""
    blocks = range(0, len(spans), PROMPTS_AT_ONCE)
    histories = (spans.some(slice(start, start + PROMPTS_AT_ONCE)).history for start in blocks)
    found = [setup.tokenizer.lengths(setup.templates[0], history) for history in histories]
    return np.concatenate([*found, np.zeros(0, dtype=np.int64)])
