"""One vector per item: the frozen language model's states, pooled over the item's text.

Letters: n items, B texts of a batch, T tokens, H width of the model.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.backbone.language import states
from engine.backbone.pieces import Ints, Pieces
from engine.backbone.slots import Vocabulary
from engine.data.ids import PADDING
from engine.training.processes import Processes


@torch.no_grad()
def text_vectors(
    model: Any,
    vocabulary: Vocabulary,
    texts: Sequence[str],  # of every item id, any text for the padding
    pooling: str,
    longest: int,
    batch_tokens: int,
    done: Callable[[int], None],
    processes: Processes | None = None,
) -> Tensor:  # [n + 1, H] float32
    """Row i: mean of the states over ``texts[i]``'s tokens, the ``last`` one, or mean of the ``tokens``' embeddings.

    Row 0 is zero. The embeddings of a briefly trained model are more informative than its states.

    Texts are read in order of length, about ``batch_tokens`` tokens at a time; ``done`` receives the number read.
    Each of several ``processes`` reads some of the batches and gets the vectors of all.
    """
    begin = [] if vocabulary.begin is None else [vocabulary.begin]
    tokens = [
        (begin + ids)[:longest] or [vocabulary.padding]
        for ids in vocabulary.encode([vocabulary.space + text for text in texts])
    ]
    pieces = Pieces(tokens)
    embed = model.get_input_embeddings()
    width = embed.weight.shape[1] if pooling == "tokens" else model.config.hidden_size

    def pooled(chosen: Ints) -> Tensor:  # [B] -> [B, H]
        copied = pieces.rows(chosen[:, None])
        ids = torch.from_numpy(copied.padded(vocabulary.padding)).to(embed.weight.device)
        length = torch.from_numpy(copied.length).to(ids.device)
        read = embed(ids)
        hidden = (read if pooling == "tokens" else states(model, read)).float()  # [B, T, H]
        if pooling == "last":
            return hidden[torch.arange(len(ids)), length - 1]
        real = torch.arange(ids.shape[1], device=ids.device) < length[:, None]
        return (hidden * real[:, :, None]).sum(dim=1) / length[:, None]

    return shared(pooled, batches(pieces.length, batch_tokens), len(texts), width, done, processes or Processes())


def shared(
    pooled: Callable[[Ints], Tensor],
    chosen: Iterable[Ints],
    texts: int,
    width: int,
    done: Callable[[int], None],
    processes: Processes,
) -> Tensor:  # [texts, width]
    """``pooled`` vectors of all batches of texts, each computed by one of the processes; zero where none is."""
    vectors, read = torch.zeros(texts, width), 0
    for number, batch in enumerate(chosen):
        if processes.owns(number):
            vectors[torch.from_numpy(batch)] = pooled(batch).cpu()
        read += len(batch)
        done(read)
    return processes.total(vectors)


def batches(lengths: Ints, batch_tokens: int) -> Iterator[Ints]:
    """Item ids of each batch, texts of like length together; the padding has no text."""
    order = np.argsort(lengths, kind="stable")
    order = order[order != PADDING]
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * lengths[order[stop]] <= batch_tokens:
            stop += 1
        yield order[start:stop]
        start = stop
