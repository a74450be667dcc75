"""How a teacher of each objective ranks the catalogue: by scores of all items, or by grounding a generated title.

Letters: R rows, Q prompts, E experts, W width of a query vector, H of the language model, n items, K items kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.backbone.pieces import Ints
from engine.backbone.text_vectors import text_vectors
from engine.config.settings.knowledge import KnowledgeSettings
from engine.data.ids import PADDING
from engine.knowledge.rankings import top_items
from engine.metrics import grounding, ranking
from engine.metrics.ranking import Histories
from engine.student.untrained import RowScores
from engine.student.validation import Tick
from engine.teacher.build import TeacherSetup
from engine.teacher.objectives.generate import generate_titles
from engine.teacher.objectives.rank_collator import all_queries
from engine.teacher.prompting.prompts import predicts_each_item
from engine.teacher.prompting.spans import PromptSpans


@dataclass(frozen=True)
class Scorer:
    """Query vectors [R, W] of prompts, and the scores and first items that follow from them."""

    queries: Callable[[PromptSpans, Tensor, Ints, Tick], tuple[Tensor, Tensor]]  # states, their rows -> [R, W], [Q, E]
    # queries, seen, scores that are added -> items and distances [R, K]
    first: Callable[[Tensor, Histories | None, RowScores | None], tuple[Tensor, Tensor]]
    scores: Callable[[Tensor], Tensor]  # queries [B, W] -> [B, n + 1]
    stored: dict[str, Tensor]  # what evaluate needs beside the queries to compute scores
    width: int  # W
    item_vectors: Tensor  # [n + 1, K] of the teacher
    targets: int  # rows predicted in one prompt

    def ranks(
        self, queries: Tensor, targets: Tensor, seen: Histories | None, added: RowScores | None = None
    ) -> Tensor:  # [R, W], [R] -> [R]
        """Rank of each row's target, among the items that the row has not seen where ``seen`` is given."""

        def scores(block: slice) -> Tensor:
            found = self.scores(queries[block])
            return found if added is None else found + added(block)

        return ranking.ranks_of(scores, len(self.item_vectors), targets, seen)


def catalogue_scorer(setup: TeacherSetup, settings: KnowledgeSettings) -> Scorer:
    """A teacher of the ``rank`` objective: scores of all items, distances -log p."""
    head, student = setup.teacher.head, setup.student
    assert head is not None
    with torch.no_grad():
        table, item_vectors = head.table(student.table), head.item_keys(head.lm_weight)

    def queries(spans: PromptSpans, states: Tensor, rows: Ints, tick: Tick) -> tuple[Tensor, Tensor]:
        return all_queries(setup, spans, states, rows, settings.batch, tick, setup.tokens)

    def first(found: Tensor, seen: Histories | None, added: RowScores | None) -> tuple[Tensor, Tensor]:
        return top_items(found, table, student.bias, seen, settings.top, added)

    def scores(found: Tensor) -> Tensor:
        return ranking.score_items(found, table, student.bias)

    stored = {"table": table} if student.bias is None else {"table": table, "bias": student.bias}
    # Where text follows the history, a prompt of several rows would read the targets of all but the last one.
    targets = settings.targets if predicts_each_item(setup.templates[0]) else 1
    return Scorer(queries, first, scores, stored, table.shape[1], item_vectors.cpu(), targets)


def generative_scorer(
    setup: TeacherSetup,
    settings: KnowledgeSettings,
    text: Tensor,
    pooling: str,
    longest: int,
    popularity: Tensor | None = None,
    gamma: float = 0.0,
) -> Scorer:
    """A teacher of the ``generate`` objective: the items nearest to its generated title, grounded as in BIGRec.

    Its candidates are the student's best items that the prompt does not show. The frozen language model without experts
    turns the generated title into a vector, as it did with the items' titles; distances are scaled to 0..1 within a
    row, and those of items of large ``popularity`` [n + 1] shrink as ``gamma`` says.
    """
    rules, student, device = setup.settings.generate, setup.student, setup.device
    items = text.to(device)
    weights = torch.zeros(len(items), device=device) if popularity is None else popularity.to(device)
    assert rules is not None

    @torch.no_grad()
    def queries(spans: PromptSpans, states: Tensor, rows: Ints, tick: Tick) -> tuple[Tensor, Tensor]:
        processes, nonempty = setup.processes, np.flatnonzero(spans.count)
        starts = range(0, len(rows), settings.batch)
        generated: dict[int, tuple[list[str], Tensor]] = {}
        for start, own in processes.dealt(starts):
            block = slice(start, start + settings.batch)
            history = spans.some(nonempty[block]).history
            users = states[torch.from_numpy(rows[block])].to(device)
            scores = ranking.score_items(users, student.table, student.bias)
            scores.scatter_(1, torch.from_numpy(history).to(device), -torch.inf)
            candidates = scores.topk(rules.candidates, dim=1).indices.cpu().numpy()
            alive = partial(tick, start, len(rows))
            titles, gate = generate_titles(setup, history, users, candidates, rules.new_tokens, alive)
            generated |= {start: (titles, gate.float().cpu())} if own else {}
            tick(min(start + processes.count * settings.batch, len(rows)), len(rows))
        everywhere = {start: found for part in processes.gathered(generated) for start, found in part.items()}
        texts = [""] + [title for start in starts for title in everywhere[start][0]]
        gates = [everywhere[start][1] for start in starts]
        model, vocabulary = setup.teacher.language_model, setup.tokenizer.vocabulary
        with setup.teacher.routing.off():
            asked = len(rows)
            vectors = text_vectors(model, vocabulary, texts, pooling, longest, 8192, lambda done: tick(asked, asked))
        whole = torch.zeros(len(spans), gates[0].shape[1] if gates else setup.settings.lora.experts)
        if gates:
            whole[torch.from_numpy(nonempty)] = torch.cat(gates)
        return vectors[PADDING + 1 :], whole

    @torch.no_grad()
    def first(found: Tensor, seen: Histories | None, added: RowScores | None) -> tuple[Tensor, Tensor]:
        assert added is None, "a generative teacher is not mixed with other models"
        count = min(settings.top, len(items) - 1)
        chosen, distances = torch.zeros(len(found), count, dtype=torch.int32), torch.zeros(len(found), count)
        for block in ranking.blocks(len(found), len(items), items.device.type):
            far = -scores(found[block])
            if seen is not None:
                far[ranking.history_pairs(seen, block)] = torch.inf
            nearest = far.topk(count, dim=1, largest=False)
            chosen[block], distances[block] = nearest.indices.to(torch.int32).cpu(), nearest.values.cpu()
        return chosen, distances

    def scores(found: Tensor) -> Tensor:
        return grounding.scores(found.to(items.device), items, weights, gamma)

    stored = {"items": items, "popularity": weights, "gamma": torch.tensor(gamma)}
    return Scorer(queries, first, scores, stored, items.shape[1], text, 1)
