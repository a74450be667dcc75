"""A first training of the head on texts alone, without the language model: seconds instead of minutes.

What it reaches is also the control of the teacher: the student and text vectors, and no language model.
"""

from collections.abc import Callable

import numpy as np
import torch

from engine.student.cross_entropy import cross_entropy
from engine.student.validation import Tick
from engine.teacher.head import RankHead, Seen
from engine.teacher.prompting.spans import PromptSpans

PROMPTS = 48  # questions in a step


def seen_by(questions: PromptSpans, device: str) -> Seen:
    """What is shown before each of the questions' positions."""
    question, last = questions.asked
    count = last - questions.start[question] + 1
    history, asked, read = (torch.from_numpy(part).to(device) for part in (questions.history, question, count))
    return Seen(history, asked, read)


def warm(
    head: RankHead,
    cut: Callable[[np.random.Generator], PromptSpans],
    epochs: int,
    learning_rate: float,
    seed: int,
    device: str,
    tick: Tick,
) -> None:
    """Minimises -log softmax(<W m, V t_i>)_target."""
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(
        [*head.query.parameters(), *head.keys.parameters()], lr=learning_rate, weight_decay=0.01
    )
    head.train()
    for epoch in range(epochs):
        draw = np.random.default_rng((seed, 9, epoch))
        questions = cut(draw)
        batches = np.array_split(draw.permutation(len(questions)), max(1, len(questions) // PROMPTS))
        for at, chosen in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * (1 - (epoch + at / len(batches)) / epochs)
            some = questions.some(chosen)
            _, last = some.asked
            targets = torch.from_numpy(some.items[last + 1].astype(np.int64)).to(device)
            users, table = head.told(seen_by(some, device)), head.keys(head.text)
            optimizer.zero_grad()
            loss = cross_entropy(users, table, targets) / max(1, len(targets))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        tick()
    head.zero_grad()
    head.eval()
