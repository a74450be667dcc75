"""The ``generate`` objective: candidates stand in the prompt, and the answer is the title of one of them (iLoRA).

Letters: B prompts, T tokens, C candidates, N labelled tokens, R rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.backbone import heads, language
from engine.backbone.pieces import Ints
from engine.config.settings.teacher import GenerateSettings
from engine.data.ids import PADDING
from engine.data.sequences import Rows, Sequences
from engine.metrics.candidates import offered
from engine.metrics.selection import by_half
from engine.runs.reporter import counted
from engine.runs.run import Run
from engine.stages import CANDIDATE_HR, CANDIDATE_HR_OF_VALID, VALID_RATIO
from engine.student.validation import Tick
from engine.teacher.build import TeacherSetup
from engine.teacher.model import Inputs, Teacher, packed
from engine.teacher.module import Objective, StepPart, StepSplit
from engine.teacher.objectives.rank import HIDDEN, TEMPLATE, SpanSampler, step_generator
from engine.teacher.prompting.answers import candidate_named, first_line, hit_rate
from engine.teacher.prompting.prompts import item_name
from engine.teacher.prompting.spans import PromptSpans, heldout_spans, training_spans
from engine.teacher.prompting.tokenizer import NO_LABEL
from engine.training.schedule import hybrid_probability

CANDIDATES = 5  # purpose of a step's generator, beside those of rank
# Facts: CANDIDATE_HR of what the teacher is compared with, and of how many rows.
CANDIDATE_POPULARITY, CANDIDATE_STUDENT, CANDIDATE_ROWS = "candidate_popularity", "candidate_student", "candidate_rows"
AT_ONCE = 5  # candidates scored together: each holds a copy of its prompt's keys and values


@dataclass(frozen=True)
class GenerateBatch:
    """A batch of prompts as the model reads it."""

    inputs: Inputs
    labels: Tensor  # [B, T] token ids of the answer, -100 elsewhere
    tokens: int
    padding_share: float


class GenerateCollator:
    """Turns histories, candidates and answers into batches."""

    def __init__(self, setup: TeacherSetup) -> None:
        self._setup, self._table = setup, setup.student.table.cpu()

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
        prompts = self._setup.tokenizer.assemble(
            template, history, candidates, answers, slots=self._setup.settings.slots and hybrid, left=left
        )
        filled = np.flatnonzero(prompts.items)
        ids, labels, mask, slots = (
            torch.from_numpy(part).to(self._setup.device)
            for part in (prompts.ids, prompts.labels, prompts.mask, filled)
        )
        vectors = self._table[torch.from_numpy(prompts.items.reshape(-1)[filled])].to(self._setup.device)
        inputs = Inputs(ids, slots, vectors, users.to(self._setup.device), mask if left else None)
        inputs, padding = packed(inputs, prompts.length, None if left else self._setup.pack)
        return GenerateBatch(inputs, labels, int(prompts.length.sum()), padding)


def token_losses(teacher: Teacher, batch: GenerateBatch, gates: Tensor) -> tuple[Tensor, Tensor]:  # -> [N], [N]
    """-log p of every labelled token given those before it, and the row of each. Logits are computed there only."""
    states = teacher.states(batch.inputs, gates)[:, :-1]
    following = batch.labels[:, 1:]
    labelled = following != NO_LABEL
    scores = heads.logits(teacher.language_model, states[labelled])
    return F.cross_entropy(scores, following[labelled], reduction="none"), labelled.nonzero()[:, 0]


@torch.no_grad()
def generate_titles(
    setup: TeacherSetup, history: Ints, users: Tensor, candidates: Ints, longest: int, tick: Callable[[], None]
) -> tuple[list[str], Tensor]:  # -> B texts, [B, E]
    """Greedy answers and the expert weights. Prompts are padded on the left, so every answer follows its prompt.

    ``tick`` is called after every token: on a slow processor a batch of answers takes longer than a run may be silent.
    """
    batch = GenerateCollator(setup)(setup.templates[0], history, users, candidates, left=True)
    teacher, gates = setup.teacher, setup.teacher.gates(batch.inputs.users)
    assert batch.inputs.mask is not None
    with teacher.routing.of(gates):
        embeddings = teacher.embed(batch.inputs)
        stops = [setup.tokenizer.stop]
        tokens = language.greedy(teacher.language_model, embeddings, batch.inputs.mask, stops, longest, tick)
    return [first_line(setup.tokenizer.vocabulary.decode(row)) for row in tokens.tolist()], gates


@torch.no_grad()
def likelihoods(setup: TeacherSetup, history: Ints, users: Tensor, candidates: Ints) -> Tensor:  # -> [B, C]
    """log p of every candidate's title and its end after the prompt, which is read once for all candidates.

    Exact, because the expert weights depend on the user alone. [B, L], [B, D], [B, C] -> [B, C].
    """
    batch = GenerateCollator(setup)(setup.templates[0], history, users, candidates, left=True)
    teacher, gates = setup.teacher, setup.teacher.gates(batch.inputs.users)
    model, mask = teacher.language_model, batch.inputs.mask
    assert mask is not None
    with teacher.routing.of(gates):
        prompts = language.read_prompts(model, teacher.embed(batch.inputs), mask)
    ids, length = (torch.from_numpy(part).to(mask.device) for part in setup.tokenizer.answers(candidates.reshape(-1)))
    ids, length = ids.view(*candidates.shape, -1), length.view(candidates.shape)
    found = []
    for first in range(0, candidates.shape[1], AT_ONCE):
        part = slice(first, first + AT_ONCE)
        with teacher.routing.of(gates, beams=ids[:, part].shape[1]):
            found.append(language.continued(model, prompts, mask, ids[:, part], length[:, part]))
    return torch.cat(found, dim=1)


def objective(setup: TeacherSetup, sequences: Sequences, rows: Rows, run: Run) -> Objective:
    """The training and the evaluation of this objective."""
    settings, teacher, rules, items = setup.settings, setup.teacher, setup.settings.generate, len(setup.titles) - 1
    assert rules is not None  # TeacherSettings.check

    states = setup.student.after_events(sequences, setup.device, counted(run, "read student", "rows"))  # [E, D]
    split = StepSplit(settings.accumulate, setup.processes.rank, setup.processes.count)

    def about(spans: PromptSpans) -> Ints:
        """Tokens of the prompts with other candidates than those that their step will draw."""
        targets = spans.items[spans.stop].astype(np.int64)
        others = np.random.default_rng(settings.seed).integers(PADDING + 1, items + 1, (len(spans), rules.candidates))
        return setup.tokenizer.lengths(setup.templates[0], spans.history, others, targets)

    sampler = SpanSampler(
        lambda draw: training_spans(sequences, settings.history, 1),
        settings.batch,
        settings.seed,
        setup.pack is None,
        setup.tokens,
        about,
    )
    total = settings.total_steps(sampler.per_epoch)

    def prompts(step: int, k: int) -> tuple[str, Ints, Ints, Ints, Ints]:
        """Template, prompts of the part, their histories and candidates, and the targets of the whole step."""
        whole = sampler(step)
        chosen = split(len(whole), k)
        template = setup.templates[step_generator(settings.seed, step, TEMPLATE).integers(len(setup.templates))]
        history, targets = whole.history, whole.items[whole.stop].astype(np.int64)
        # Drawn for the whole step, so that its parts do not depend on how it is split.
        draw = step_generator(settings.seed, step, CANDIDATES)
        candidates = offered(history, targets, items, rules.candidates, draw)
        return template, chosen, history[chosen], candidates[chosen], targets

    def lengths(step: int, k: int) -> Ints:
        template, chosen, history, candidates, targets = prompts(step, k)
        return setup.tokenizer.lengths(template, history, candidates, targets[chosen])

    collator = GenerateCollator(setup.replayed(lengths, sampler.per_epoch))

    def part(step: int, k: int) -> StepPart:
        whole = sampler(step)
        template, chosen, history, candidates, targets = prompts(step, k)
        share = hybrid_probability(step, total) if rules.curriculum else 1.0
        hybrid = bool(step_generator(settings.seed, step, HIDDEN).random() < share)
        users = states[torch.from_numpy(whole.stop[chosen] - 1)]
        batch = collator(template, history, users, candidates, targets[chosen], hybrid)
        gates = teacher.gates(batch.inputs.users)
        losses, _ = token_losses(teacher, batch, gates)
        labelled = int(setup.tokenizer.answers(targets)[1].sum())
        weight = split.weight(len(losses), labelled, k, len(whole))
        return StepPart(losses.mean(), weight, batch.tokens, batch.padding_share, gates)

    evaluate = validation(setup, rules, rows, counted(run, "read student", "rows"))
    controls = evaluate.controls(sequences.counts(len(setup.titles)))
    run.note(**{CANDIDATE_ROWS: len(evaluate.targets) + evaluate.empty}, **controls)
    skips = rules.curriculum or not settings.slots
    return Objective(
        part, evaluate, lambda step: len(sampler(step)), sampler.per_epoch, CANDIDATE_HR.name, split.processes, skips
    )


def validation(setup: TeacherSetup, rules: GenerateSettings, rows: Rows, tick: Tick) -> "CandidateEvaluation":
    """The validation rows, or ``teacher.evaluate_rows`` of them, with candidates drawn once."""
    settings = setup.settings
    chosen = np.flatnonzero(rows.stop > rows.start)
    if settings.evaluate_rows is not None:
        chosen = np.random.default_rng(settings.seed).permutation(chosen)[: settings.evaluate_rows]
    rows = rows.some(chosen)
    draw = np.random.default_rng((settings.seed, CANDIDATES))
    history = heldout_spans(rows, settings.history).history
    targets, items = rows.targets.astype(np.int64), len(setup.titles) - 1
    candidates = offered(history, targets, items, rules.candidates, draw)
    return CandidateEvaluation(setup, rules, rows, candidates, tick)


class CandidateEvaluation:
    """HR@1 on held-out rows, each with candidates of its own in the prompt."""

    def __init__(self, setup: TeacherSetup, rules: GenerateSettings, rows: Rows, candidates: Ints, tick: Tick) -> None:
        """``candidates`` [R, C]: item ids in the order of the prompt, the target among them."""
        kept = np.flatnonzero(rows.stop > rows.start)  # there is no prompt for an empty history
        self.empty = len(rows) - len(kept)
        rows = rows.some(kept)
        self.setup, self.rules = setup, rules
        self.spans = heldout_spans(rows, setup.settings.history)
        self.states = setup.student.after_rows(rows, setup.device, tick)
        self._users = rows.users
        self.targets, self.candidates = rows.targets.astype(np.int64), candidates[kept]

    @torch.no_grad()
    def __call__(self, tick: Tick) -> dict[str, float]:
        """HR@1 among the candidates: correct of all, correct of the valid answers, and the share of valid ones."""
        size, processes, total = self.setup.settings.batch, self.setup.processes, len(self.targets)
        starts = range(0, total, size)
        found: dict[int, list[int | None]] = {}
        for start, own in processes.dealt(starts):
            some = slice(start, start + size)
            alive = partial(tick, start, total)
            answers = self._likeliest(some) if self.rules.scoring == "likelihood" else self._generated(some, alive)
            found |= {start: answers} if own else {}
            tick(min(start + size * processes.count, total), total)
        everywhere = {start: answers for part in processes.gathered(found) for start, answers in part.items()}
        named = [answer for start in starts for answer in everywhere[start]]
        right = (self.candidates == self.targets[:, None]).argmax(axis=1).tolist()
        nothing: list[int | None] = [None] * self.empty
        counted = hit_rate(named + nothing, right + [0] * self.empty)
        hits = np.array([own == target for own, target in zip(named, right, strict=True)], dtype=np.float64)
        return {
            CANDIDATE_HR.name: counted.correct_of_total,
            CANDIDATE_HR_OF_VALID.name: counted.correct_of_valid,
            VALID_RATIO.name: counted.valid_ratio,
            **by_half(hits, self._users),
        }

    @torch.no_grad()
    def controls(self, counts: Ints) -> dict[str, float]:  # [n + 1] times each item occurs in training
        """HR@1 of popularity and of the student among the same candidates, under the names of their facts.

        A target whose score another candidate has, too, is not first.
        """
        candidates = torch.from_numpy(self.candidates)
        table, bias, users = self.setup.student.table.cpu(), self.setup.student.bias, self.states.cpu()
        student = torch.einsum("rcd,rd->rc", table[candidates], users)
        student = student if bias is None else student + bias.cpu()[candidates]
        popularity = torch.from_numpy(counts)[candidates]
        return {CANDIDATE_POPULARITY: self._first(popularity), CANDIDATE_STUDENT: self._first(student)}

    def _first(self, scores: Tensor) -> float:  # [R, C]
        """Share of rows, those without a history included, whose target scores higher than all others."""
        target = torch.from_numpy(self.candidates == self.targets[:, None])
        others = scores.double().masked_fill(target, -torch.inf).amax(dim=1)
        return float((scores[target] > others).sum()) / (len(others) + self.empty)

    def _generated(self, some: slice, alive: Callable[[], None]) -> list[int | None]:
        """Index of the candidate that each greedy answer names."""
        setup, candidates, history = self.setup, self.candidates[some], self.spans.some(some).history
        texts, _ = generate_titles(setup, history, self.states[some], candidates, self.rules.new_tokens, alive)
        return [
            candidate_named(text, [item_name(setup.titles[item], item) for item in row], self.rules.match)
            for text, row in zip(texts, candidates.tolist(), strict=True)
        ]

    def _likeliest(self, some: slice) -> list[int | None]:
        """Index of the candidate with the greatest log p of its title and the end."""
        history = self.spans.some(some).history
        found = likelihoods(self.setup, history, self.states[some], self.candidates[some])
        chosen: list[int | None] = found.argmax(dim=1).tolist()
        return chosen
