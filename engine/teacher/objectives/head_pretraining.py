"""Training of the head on text vectors alone, without the language model: seconds instead of minutes.

The result is also a control of the teacher: the student and text vectors, and no language model.
"""

from collections.abc import Callable

import numpy as np
import torch

from engine.student.cross_entropy import cross_entropy
from engine.student.validation import Tick
from engine.teacher.head import RankHead
from engine.teacher.objectives.rank_collator import visible_history
from engine.teacher.prompting.spans import PromptSpans

PROMPTS = 48  # spans in a step


def pretrain_head(
    head: RankHead,
    cut: Callable[[np.random.Generator], PromptSpans],
    epochs: int,
    learning_rate: float,
    seed: int,
    device: str,
    tick: Tick,
) -> None:
    """Minimises -log softmax(<W m, V t_i>)_target; ``cut`` draws the spans of an epoch."""
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(
        [*head.query.parameters(), *head.keys.parameters()], lr=learning_rate, weight_decay=0.01
    )
    head.train()
    for epoch in range(epochs):
        draw = np.random.default_rng((seed, 9, epoch))
        spans = cut(draw)
        batches = np.array_split(draw.permutation(len(spans)), max(1, len(spans) // PROMPTS))
        for index, chosen in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * (1 - (epoch + index / len(batches)) / epochs)
            some = spans.some(chosen)
            _, last = some.positions
            targets = torch.from_numpy(some.items[last + 1].astype(np.int64)).to(device)
            queries, table = head.text_queries(visible_history(some, device)), head.keys(head.text)
            optimizer.zero_grad()
            loss = cross_entropy(queries, table, targets) / max(1, len(targets))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        tick(epoch + 1, epochs)
    head.zero_grad()
    head.eval()
