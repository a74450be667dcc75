"""How each kind of teacher answers: one that scores the catalogue, and one that says a title, which is then grounded.

Letters: R rows, Q questions, E experts, W width of an answer, H of the language model, n items, K items kept.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.backbone.pieces import Ints
from engine.backbone.text_vectors import text_vectors
from engine.config.settings.knowledge import KnowledgeSettings
from engine.config.settings.teacher import TeacherSettings
from engine.data.ids import PADDING
from engine.knowledge.rankings import best
from engine.metrics import grounding, ranking
from engine.metrics.ranking import Histories
from engine.student.validation import Tick
from engine.teacher.build import Built
from engine.teacher.objectives.generate import GenerateCollator, said
from engine.teacher.objectives.rank_collator import RankCollator, answer_all
from engine.teacher.prompting.spans import PromptSpans


@dataclass(frozen=True)
class Way:
    """Answers [R, W], the scores that they give the items, and the first items by them."""

    answer: Callable[[PromptSpans, Tensor, Ints, Tick], tuple[Tensor, Tensor]]  # states, their rows -> [R, W], [Q, E]
    first: Callable[[Tensor, Histories | None], tuple[Tensor, Tensor]]  # answers, seen -> items and distances [R, K]
    scores: Callable[[Tensor], Tensor]  # answers [B, W] -> [B, n + 1]
    written: dict[str, Tensor]  # what scores are made of beside the answers, as evaluate reads it
    width: int  # W
    key: Tensor  # [n + 1, K] by what a teacher tells items apart
    targets: int  # rows asked about in one prompt

    def ranks(self, answers: Tensor, targets: Tensor, seen: Histories) -> Tensor:  # [R, W], [R] -> [R]
        """Where each row's target stands among the items that it has not seen."""
        return ranking.ranks_of(lambda block: self.scores(answers[block]), len(self.key), targets, seen)


def scoring(built: Built, settings: KnowledgeSettings, trained: TeacherSettings, device: str) -> Way:
    """A teacher of the ``rank`` objective: scores of all items, distances -log p."""
    head, student = built.teacher.head, built.student
    assert head is not None
    asking = RankCollator(built.book, student, trained.slots, device)
    with torch.no_grad():
        table, key = head.table(student.table), head.key(head.voice)

    def answer(questions: PromptSpans, states: Tensor, state: Ints, tick: Tick) -> tuple[Tensor, Tensor]:
        return answer_all(built.teacher, asking, built.templates[0], questions, states, state, settings.batch, tick)

    def first(answers: Tensor, seen: Histories | None) -> tuple[Tensor, Tensor]:
        return best(answers, table, student.bias, seen, settings.top)

    def scores(answers: Tensor) -> Tensor:
        return ranking.score_items(answers, table, student.bias)

    written = {"table": table} if student.bias is None else {"table": table, "bias": student.bias}
    return Way(answer, first, scores, written, table.shape[1], key.cpu(), settings.targets)


def saying(
    built: Built,
    settings: KnowledgeSettings,
    trained: TeacherSettings,
    text: Tensor,
    pooling: str,
    longest: int,
    device: str,
    popularity: Tensor | None = None,
    gamma: float = 0.0,
) -> Way:
    """A teacher of the ``generate`` objective: the nearest items of what it says, as BIGRec grounds it.

    The student's best items that the prompt does not show are its candidates. What it says is read by the frozen
    language model without experts, as the items' titles were; a distance is spread to 0..1 over a row's items, and
    items of much ``liking`` [n + 1] come nearer as ``gamma`` says.
    """
    rules, student, items = trained.generate, built.student, text.to(device)
    liked = torch.zeros(len(items), device=device) if popularity is None else popularity.to(device)
    assert rules is not None
    telling = GenerateCollator(built, trained.slots, device)

    @torch.no_grad()
    def answer(questions: PromptSpans, states: Tensor, state: Ints, tick: Tick) -> tuple[Tensor, Tensor]:
        texts, gates = [""], []
        for start in range(0, len(state), settings.batch):
            rows = state[start : start + settings.batch]
            history = questions.some(np.flatnonzero(questions.count)[start : start + settings.batch]).history
            users = states[torch.from_numpy(rows)].to(device)
            scores = ranking.score_items(users, student.table, student.bias)
            scores.scatter_(1, torch.from_numpy(history).to(device), -torch.inf)
            candidates = scores.topk(rules.candidates, dim=1).indices.cpu().numpy()
            spoken, weights = said(built, telling, history, users, candidates, rules.new_tokens)
            texts += spoken
            gates.append(weights.float().cpu())
            tick()
        with built.teacher.routing.off():
            vectors = text_vectors(
                built.teacher.language_model, built.book.vocabulary, texts, pooling, longest, 8192, lambda done: tick()
            )
        weights = torch.zeros(len(questions), gates[0].shape[1] if gates else trained.lora.experts)
        weights[torch.from_numpy(questions.count > 0)] = torch.cat(gates) if gates else weights[:0]
        return vectors[PADDING + 1 :], weights

    @torch.no_grad()
    def first(answers: Tensor, seen: Histories | None) -> tuple[Tensor, Tensor]:
        count = min(settings.top, len(items) - 1)
        chosen, nearness = torch.zeros(len(answers), count, dtype=torch.int32), torch.zeros(len(answers), count)
        for block in ranking.blocks(len(answers), len(items), items.device.type):
            far = -scores(answers[block])
            if seen is not None:
                far[ranking.history_pairs(seen, block)] = torch.inf
            found = far.topk(count, dim=1, largest=False)
            chosen[block], nearness[block] = found.indices.to(torch.int32).cpu(), found.values.cpu()
        return chosen, nearness

    def scores(answers: Tensor) -> Tensor:
        return grounding.scores(answers.to(items.device), items, liked, gamma)

    written = {"items": items, "liking": liked, "gamma": torch.tensor(gamma)}
    return Way(answer, first, scores, written, items.shape[1], text, 1)
