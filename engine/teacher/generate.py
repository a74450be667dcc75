"""The ``generate`` objective: candidates stand in the prompt, and the answer is the title of one of them (iLoRA).

Letters: B prompts, T tokens, C candidates, N labelled tokens, R rows.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.backbone import language
from engine.backbone.pieces import Ints
from engine.data.sequences import Rows, Sequences
from engine.runs.run import Run
from engine.settings.teacher import Generate
from engine.settings.teacher import Teacher as Settings
from engine.student.validation import Tick
from engine.teacher.answers import candidate_named, first_line, hit_rate
from engine.teacher.build import Built
from engine.teacher.candidates import offered
from engine.teacher.model import Inputs, Teacher
from engine.teacher.module import Part, Task
from engine.teacher.prompts import titled
from engine.teacher.questions import Questions, of_rows, of_training
from engine.teacher.rank import HIDDEN, TEMPLATE, Steps, drawn
from engine.teacher.schedule import hybrid_probability
from engine.teacher.tokens import NO_LABEL, Prompts

CANDIDATES = 5  # what a generator of a step is for, beside those of rank
METRIC = "candidate_hr@1"


@dataclass(frozen=True)
class Told:
    """A batch of prompts, ready for the model."""

    inputs: Inputs
    labels: Tensor  # [B, T] token ids of the answer, -100 elsewhere
    tokens: int
    padding_share: float


class Telling:
    """Turns histories, candidates and answers into batches."""

    def __init__(self, built: Built, slots: bool, device: str) -> None:
        self.book, self.slots, self.device = built.book, slots, torch.device(device)
        self._table = built.student.table.cpu()

    def __call__(
        self,
        template: str,
        history: Ints,  # [B, L] item ids
        users: Tensor,  # [B, D] the student's states
        candidates: Ints,  # [B, C] item ids
        answers: Ints | None = None,  # [B] item ids
        hybrid: bool = True,
        left: bool = False,
    ) -> Told:
        prompts: Prompts = self.book.assemble(
            template, history, candidates, answers, slots=self.slots and hybrid, left=left
        )
        filled = np.flatnonzero(prompts.items)
        ids, labels, mask, slots = (
            torch.from_numpy(part).to(self.device) for part in (prompts.ids, prompts.labels, prompts.mask, filled)
        )
        vectors = self._table[torch.from_numpy(prompts.items.reshape(-1)[filled])].to(self.device)
        inputs = Inputs(ids, slots, vectors, users.to(self.device), mask if left else None)
        return Told(inputs, labels, int(prompts.length.sum()), prompts.padding_share)


def token_losses(teacher: Teacher, told: Told, gates: Tensor) -> tuple[Tensor, Tensor]:  # -> [N], [N] row of each
    """-log p of every labelled token, given what stands before it. Logits are made at those places only."""
    states = teacher.states(told.inputs, gates)[:, :-1]
    following = told.labels[:, 1:]
    labelled = following != NO_LABEL
    scores = language.logits(teacher.language_model, states[labelled])
    return F.cross_entropy(scores, following[labelled], reduction="none"), labelled.nonzero()[:, 0]


@torch.no_grad()
def said(
    built: Built, telling: Telling, history: Ints, users: Tensor, candidates: Ints, longest: int
) -> tuple[list[str], Tensor]:  # -> B texts, [B, E]
    """Greedy answers, and the expert weights. Prompts are padded on the left: no answer begins behind a padding."""
    told = telling(built.templates[0], history, users, candidates, left=True)
    teacher, gates = built.teacher, built.teacher.gates(told.inputs.users)
    assert told.inputs.mask is not None
    with teacher.routing.of(gates):
        embeddings = teacher.embed(told.inputs)
        tokens = language.greedy(teacher.language_model, embeddings, told.inputs.mask, [built.book.stop], longest)
    return [first_line(built.book.vocabulary.decode(row)) for row in tokens.tolist()], gates


def task(settings: Settings, built: Built, sequences: Sequences, rows: Rows, run: Run, device: str) -> Task:
    """The training and the evaluation of this objective."""
    teacher, rules, items = built.teacher, settings.generate, len(built.titles) - 1
    assert rules is not None  # Teacher.check

    def alive() -> None:
        run.progress(0, 1, "prepare", unit="tables")

    states = built.student.after_events(sequences, device, alive)  # [E, D]
    telling = Telling(built, settings.slots, device)
    steps = Steps(lambda draw: of_training(sequences, settings.history, 1), settings.batch, settings.seed)
    total = settings.epochs * steps.per_epoch

    def part(step: int, k: int) -> Part:
        some = steps(step).some(slice(k, None, settings.accumulate))
        template = built.templates[drawn(settings.seed, step, TEMPLATE).integers(len(built.templates))]
        share = hybrid_probability(step, total) if rules.curriculum else 1.0
        hybrid = bool(drawn(settings.seed, step, HIDDEN).random() < share)
        history, targets = some.history, some.items[some.stop].astype(np.int64)
        draw = drawn(settings.seed, step * settings.accumulate + k, CANDIDATES)
        candidates = offered(history, targets, items, rules.candidates, draw)
        users = states[torch.from_numpy(some.stop - 1)]
        told = telling(template, history, users, candidates, targets, hybrid)
        gates = teacher.gates(told.inputs.users)
        losses, _ = token_losses(teacher, told, gates)
        return Part(losses.mean(), 1 / settings.accumulate, told.tokens, told.padding_share, gates)

    evaluate = HeldOut(settings, rules, built, telling, rows, device, alive)
    return Task(part, evaluate, lambda step: len(steps(step)), steps.per_epoch, METRIC)


class HeldOut:
    """The validation rows with candidates drawn once."""

    def __init__(
        self, settings: Settings, rules: Generate, built: Built, telling: Telling, rows: Rows, device: str, tick: Tick
    ) -> None:
        chosen = np.flatnonzero(rows.stop > rows.start)
        if settings.evaluate_rows is not None:
            chosen = np.random.default_rng(settings.seed).permutation(chosen)[: settings.evaluate_rows]
        rows = Rows(rows.items, rows.start[chosen], rows.stop[chosen], rows.users[chosen])
        self.settings, self.rules, self.built, self.telling = settings, rules, built, telling
        self.questions: Questions = of_rows(rows, settings.history)
        self.states = built.student.after_rows(rows, device, tick)
        draw = np.random.default_rng((settings.seed, CANDIDATES))
        self.targets = rows.targets.astype(np.int64)
        items = len(built.titles) - 1
        self.candidates = offered(self.questions.history, self.targets, items, rules.candidates, draw)

    @torch.no_grad()
    def __call__(self, tick: Tick) -> dict[str, float]:
        """HR@1 among the candidates: correct of all, correct of the valid answers, and the share of valid ones."""
        named: list[int | None] = []
        for start in range(0, len(self.targets), self.settings.batch):
            some = slice(start, start + self.settings.batch)
            named += self._likeliest(some) if self.rules.scoring == "likelihood" else self._generated(some)
            tick()
        right = (self.candidates == self.targets[:, None]).argmax(axis=1).tolist()
        counted = hit_rate(named, right)
        return {
            METRIC: counted.correct_of_total,
            "candidate_hr@1_of_valid": counted.correct_of_valid,
            "valid_ratio": counted.valid_ratio,
        }

    def _generated(self, some: slice) -> list[int | None]:
        """Which candidate each greedy answer names."""
        built, candidates = self.built, self.candidates[some]
        history = self.questions.some(some).history
        texts, _ = said(built, self.telling, history, self.states[some], candidates, self.rules.new_tokens)
        return [
            candidate_named(text, [titled(built.titles[item], item) for item in row], self.rules.match)
            for text, row in zip(texts, candidates.tolist(), strict=True)
        ]

    def _likeliest(self, some: slice) -> list[int | None]:
        """The candidate with the greatest log p of its title and the end: it is always one of them."""
        found = []
        for place in range(self.rules.candidates):
            told = self._told(some, self.candidates[some][:, place])
            losses, row = token_losses(self.built.teacher, told, self.built.teacher.gates(told.inputs.users))
            found.append(torch.zeros(len(told.labels), device=losses.device).index_add_(0, row, -losses))
        chosen: list[int | None] = torch.stack(found, dim=1).argmax(dim=1).tolist()
        return chosen

    def _told(self, some: slice, answers: Ints) -> Told:
        history = self.questions.some(some).history
        return self.telling(self.built.templates[0], history, self.states[some], self.candidates[some], answers)
