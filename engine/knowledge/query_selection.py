"""Which training rows the teacher is run on when its budget does not cover all of them.

A row is an event to be predicted from the same user's events before it. Letters: R rows, D width, n items, K items.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.sequences import Sequences
from engine.metrics import ranking
from engine.metrics.ranking import Histories

COMPARED = 20  # first items of two rankings that are compared


def select(
    kind: str, budget: float, seed: int, prompt: NDArray[np.int64], value: Callable[[], Tensor]
) -> NDArray[np.int64]:  # [R] the prompt of each row -> indices of the selected rows, in order
    """All rows, or the share ``budget`` of them: of prompts drawn at random, or of those with the largest mean value.

    The cost is that of a prompt, which predicts all its rows: rows are taken prompt by prompt, those of the last prompt
    as far as the budget goes. ``value`` [R]; ties in the order of the rows.
    """
    if kind == "all":
        return np.arange(len(prompt))
    prompts = int(prompt.max(initial=-1)) + 1
    if kind == "random":
        rank = np.random.default_rng(seed).permutation(prompts)
    else:
        mean = np.bincount(prompt, weights=value().double().numpy()) / np.maximum(1, np.bincount(prompt))
        rank = np.empty(prompts, dtype=np.int64)
        rank[np.argsort(-mean, kind="stable")] = np.arange(prompts)
    order = np.argsort(rank[prompt], kind="stable")
    return np.sort(order[: max(1, round(budget * len(prompt)))])


def ends_before_tests(sequences: Sequences, test: Sequences) -> NDArray[np.int64]:
    """Last events of the training sequences that are the whole history of a test row: only evaluate asks what follows.

    In a temporal split a user without a validation row has such a row. Both begin at the user's first event.
    """
    lengths = np.diff(test.offsets)
    longest = np.zeros(max(sequences.users.max(initial=-1), test.users.max(initial=-1)) + 1, dtype=np.int64)
    longest[sequences.users] = np.diff(sequences.offsets)
    users = test.users[lengths == longest[test.users]]
    return sequences.offsets[1:][np.isin(sequences.users, users)] - 1


@torch.no_grad()
def uncertainty(users: Tensor, table: Tensor, bias: Tensor | None) -> Tensor:  # [R, D] -> [R]
    """Entropy of the softmax of a model's scores, in nats."""
    found = []
    for block in ranking.blocks(len(users), len(table), users.device.type):
        probability = torch.softmax(ranking.score_items(users[block], table, bias), dim=1)
        found.append(torch.special.entr(probability).sum(dim=1).cpu())
    return torch.cat(found) if found else torch.zeros(0)


@torch.no_grad()
def disagreement(
    users: Tensor, table: Tensor, bias: Tensor | None, text: Tensor, seen: Histories
) -> Tensor:  # [R, D], text [n + 1, H] -> [R]
    """Share of a model's first K unseen items that are not among the K items of most similar text.

    The text of a history is the mean of its items' vectors, each centred by the mean of all and scaled to length 1.
    """
    normal = torch.nn.functional.normalize(text - text[1:].mean(dim=0), dim=1)
    normal[0] = 0
    count = min(COMPARED, len(table) - 1)
    found = []
    for block in ranking.blocks(len(users), len(table), users.device.type):
        pairs = ranking.history_pairs(seen, block)
        profile = normal.new_zeros(len(users[block]), normal.shape[1]).index_add_(0, pairs[0], normal[pairs[1]])
        firsts = []
        for scores in (ranking.score_items(users[block], table, bias), ranking.score_items(profile, normal)):
            scores[pairs] = -torch.inf
            firsts.append(scores.topk(count, dim=1).indices)
        shared = (firsts[0][:, :, None] == firsts[1][:, None, :]).any(dim=2).float().mean(dim=1)
        found.append(1 - shared.cpu())
    return torch.cat(found) if found else torch.zeros(0)
