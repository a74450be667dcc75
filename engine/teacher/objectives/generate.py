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
from engine.config.settings.teacher import GenerateSettings, TeacherSettings
from engine.data.sequences import Rows, Sequences
from engine.metrics.candidates import offered
from engine.runs.read_only import rank
from engine.runs.run import Run
from engine.student.validation import Tick
from engine.teacher.build import Built
from engine.teacher.model import Inputs, Teacher
from engine.teacher.module import Part, Shares, Task
from engine.teacher.objectives.rank import HIDDEN, TEMPLATE, Steps, drawn
from engine.teacher.prompting.answers import candidate_named, first_line, hit_rate
from engine.teacher.prompting.prompts import titled
from engine.teacher.prompting.spans import PromptSpans, of_rows, of_training
from engine.teacher.prompting.tokenizer import NO_LABEL, Prompts
from engine.training.schedule import hybrid_probability

CANDIDATES = 5  # what a generator of a step is for, beside those of rank
METRIC = "candidate_hr@1"
AT_ONCE = 5  # candidates that are read beside each other: each holds a copy of its prompt's keys and values


@dataclass(frozen=True)
class GenerateBatch:
    """A batch of prompts, ready for the model."""

    inputs: Inputs
    labels: Tensor  # [B, T] token ids of the answer, -100 elsewhere
    tokens: int
    padding_share: float


class GenerateCollator:
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
    ) -> GenerateBatch:
        prompts: Prompts = self.book.assemble(
            template, history, candidates, answers, slots=self.slots and hybrid, left=left
        )
        filled = np.flatnonzero(prompts.items)
        ids, labels, mask, slots = (
            torch.from_numpy(part).to(self.device) for part in (prompts.ids, prompts.labels, prompts.mask, filled)
        )
        vectors = self._table[torch.from_numpy(prompts.items.reshape(-1)[filled])].to(self.device)
        inputs = Inputs(ids, slots, vectors, users.to(self.device), mask if left else None)
        return GenerateBatch(inputs, labels, int(prompts.length.sum()), prompts.padding_share)


def token_losses(
    teacher: Teacher, told: GenerateBatch, gates: Tensor
) -> tuple[Tensor, Tensor]:  # -> [N], [N] row of each
    """-log p of every labelled token, given what stands before it. Logits are made at those places only."""
    states = teacher.states(told.inputs, gates)[:, :-1]
    following = told.labels[:, 1:]
    labelled = following != NO_LABEL
    scores = language.logits(teacher.language_model, states[labelled])
    return F.cross_entropy(scores, following[labelled], reduction="none"), labelled.nonzero()[:, 0]


@torch.no_grad()
def said(
    built: Built, telling: GenerateCollator, history: Ints, users: Tensor, candidates: Ints, longest: int
) -> tuple[list[str], Tensor]:  # -> B texts, [B, E]
    """Greedy answers, and the expert weights. Prompts are padded on the left: no answer begins behind a padding."""
    told = telling(built.templates[0], history, users, candidates, left=True)
    teacher, gates = built.teacher, built.teacher.gates(told.inputs.users)
    assert told.inputs.mask is not None
    with teacher.routing.of(gates):
        embeddings = teacher.embed(told.inputs)
        tokens = language.greedy(teacher.language_model, embeddings, told.inputs.mask, [built.book.stop], longest)
    return [first_line(built.book.vocabulary.decode(row)) for row in tokens.tolist()], gates


@torch.no_grad()
def likelihoods(
    built: Built, telling: GenerateCollator, history: Ints, users: Tensor, candidates: Ints
) -> Tensor:  # [B, L], [B, D], [B, C] -> [B, C]
    """log p of every candidate's title and its end after the prompt, which is read once for all of them.

    Exact, because the experts' weights depend on the user alone.
    """
    told = telling(built.templates[0], history, users, candidates, left=True)
    teacher, gates = built.teacher, built.teacher.gates(told.inputs.users)
    model, mask = teacher.language_model, told.inputs.mask
    assert mask is not None
    with teacher.routing.of(gates):
        prompts = language.read_prompts(model, teacher.embed(told.inputs), mask)
    ids, length = (torch.from_numpy(part).to(mask.device) for part in built.book.answers(candidates.reshape(-1)))
    ids, length = ids.view(*candidates.shape, -1), length.view(candidates.shape)
    found = []
    for first in range(0, candidates.shape[1], AT_ONCE):
        part = slice(first, first + AT_ONCE)
        with teacher.routing.of(gates, beams=ids[:, part].shape[1]):
            found.append(language.continued(model, prompts, mask, ids[:, part], length[:, part]))
    return torch.cat(found, dim=1)


def task(
    settings: TeacherSettings, built: Built, sequences: Sequences, rows: Rows, run: Run, device: str, processes: int
) -> Task:
    """The training and the evaluation of this objective."""
    teacher, rules, items = built.teacher, settings.generate, len(built.titles) - 1
    assert rules is not None  # Teacher.check

    def alive() -> None:
        run.progress(0, 1, "prepare", unit="tables")

    states = built.student.after_events(sequences, device, alive)  # [E, D]
    telling, shares = GenerateCollator(built, settings.slots, device), Shares(settings.accumulate, rank(), processes)
    steps = Steps(lambda draw: of_training(sequences, settings.history, 1), settings.batch, settings.seed)
    total = settings.epochs * steps.per_epoch

    def part(step: int, k: int) -> Part:
        whole = steps(step)
        chosen = shares(len(whole), k)
        template = built.templates[drawn(settings.seed, step, TEMPLATE).integers(len(built.templates))]
        share = hybrid_probability(step, total) if rules.curriculum else 1.0
        hybrid = bool(drawn(settings.seed, step, HIDDEN).random() < share)
        history, targets = whole.history, whole.items[whole.stop].astype(np.int64)
        # Drawn for the whole step, so that its parts do not depend on how it is cut.
        candidates = offered(history, targets, items, rules.candidates, drawn(settings.seed, step, CANDIDATES))
        users = states[torch.from_numpy(whole.stop[chosen] - 1)]
        told = telling(template, history[chosen], users, candidates[chosen], targets[chosen], hybrid)
        gates = teacher.gates(told.inputs.users)
        losses, _ = token_losses(teacher, told, gates)
        labelled = int(built.book.answers(targets)[1].sum())
        weight = shares.weight(len(losses), labelled, k, len(whole))
        return Part(losses.mean(), weight, told.tokens, told.padding_share, gates)

    evaluate = held_out(settings, rules, built, telling, rows, device, alive)
    skips = rules.curriculum or not settings.slots
    return Task(part, evaluate, lambda step: len(steps(step)), steps.per_epoch, METRIC, processes, skips)


def held_out(
    settings: TeacherSettings,
    rules: GenerateSettings,
    built: Built,
    telling: GenerateCollator,
    rows: Rows,
    device: str,
    tick: Tick,
) -> "Offered":
    """The validation rows, or ``settings.evaluate_rows`` of them, with candidates drawn once."""
    chosen = np.flatnonzero(rows.stop > rows.start)
    if settings.evaluate_rows is not None:
        chosen = np.random.default_rng(settings.seed).permutation(chosen)[: settings.evaluate_rows]
    rows = Rows(rows.items, rows.start[chosen], rows.stop[chosen], rows.users[chosen])
    draw = np.random.default_rng((settings.seed, CANDIDATES))
    history = of_rows(rows, settings.history).history
    targets, items = rows.targets.astype(np.int64), len(built.titles) - 1
    candidates = offered(history, targets, items, rules.candidates, draw)
    return Offered(settings, rules, built, telling, rows, candidates, device, tick)


class Offered:
    """Held-out rows that are asked about, each with its candidates."""

    def __init__(
        self,
        settings: TeacherSettings,
        rules: GenerateSettings,
        built: Built,
        telling: GenerateCollator,
        rows: Rows,
        candidates: Ints,  # [R, C] item ids in the order of the prompt, the target among them
        device: str,
        tick: Tick,
    ) -> None:
        asked = np.flatnonzero(rows.stop > rows.start)  # before an empty history there is nothing to say
        self.unasked = len(rows) - len(asked)
        rows = Rows(rows.items, rows.start[asked], rows.stop[asked], rows.users[asked])
        self.settings, self.rules, self.built, self.telling = settings, rules, built, telling
        self.questions: PromptSpans = of_rows(rows, settings.history)
        self.states = built.student.after_rows(rows, device, tick)
        self.targets, self.candidates = rows.targets.astype(np.int64), candidates[asked]

    @torch.no_grad()
    def __call__(self, tick: Tick) -> dict[str, float]:
        """HR@1 among the candidates: correct of all, correct of the valid answers, and the share of valid ones."""
        named: list[int | None] = []
        for start in range(0, len(self.targets), self.settings.batch):
            some = slice(start, start + self.settings.batch)
            named += self._likeliest(some) if self.rules.scoring == "likelihood" else self._generated(some)
            tick()
        right = (self.candidates == self.targets[:, None]).argmax(axis=1).tolist()
        nothing: list[int | None] = [None] * self.unasked
        counted = hit_rate(named + nothing, right + [0] * self.unasked)
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
        history = self.questions.some(some).history
        found = likelihoods(self.built, self.telling, history, self.states[some], self.candidates[some])
        chosen: list[int | None] = found.argmax(dim=1).tolist()
        return chosen
