"""One vector per item: the frozen language model's states, pooled over the item's text.

Letters: n items, B texts of a batch, T tokens, H width of the model.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.backbone.language import states
from engine.backbone.pieces import Pieces
from engine.backbone.slots import Vocabulary
from engine.data.ids import PADDING


@torch.no_grad()
def text_vectors(
    model: Any,
    vocabulary: Vocabulary,
    texts: Sequence[str],  # of every item id, any text for the padding
    pooling: str,
    longest: int,
    batch_tokens: int,
    done: Callable[[int], None],
) -> Tensor:  # [n + 1, H] float32
    """Row i: mean of the states over ``texts[i]``'s tokens, the ``last`` one, or mean of the ``tokens``' embeddings.

    Row 0 is zero. The embeddings of a briefly trained model are more informative than its states.

    Texts are read in order of length, about ``batch_tokens`` tokens at a time; ``done`` receives the number read.
    """
    begin = [] if vocabulary.begin is None else [vocabulary.begin]
    tokens = [
        (begin + ids)[:longest] or [vocabulary.padding]
        for ids in vocabulary.encode([vocabulary.space + text for text in texts])
    ]
    pieces = Pieces(tokens)
    embed = model.get_input_embeddings()
    width = embed.weight.shape[1] if pooling == "tokens" else model.config.hidden_size
    vectors = torch.zeros(len(texts), width)
    done_so_far = 0
    for chosen in batches(pieces.length, batch_tokens):
        copied = pieces.rows(chosen[:, None])
        ids = torch.from_numpy(copied.padded(vocabulary.padding)).to(embed.weight.device)
        length = torch.from_numpy(copied.length).to(ids.device)
        read = embed(ids)
        hidden = (read if pooling == "tokens" else states(model, read)).float()  # [B, T, H]
        if pooling == "last":
            pooled = hidden[torch.arange(len(ids)), length - 1]
        else:
            real = torch.arange(ids.shape[1], device=ids.device) < length[:, None]
            pooled = (hidden * real[:, :, None]).sum(dim=1) / length[:, None]
        vectors[torch.from_numpy(chosen)] = pooled.cpu()
        done_so_far += len(chosen)
        done(done_so_far)
    return vectors


def batches(lengths: np.ndarray[Any, Any], batch_tokens: int) -> Iterator[np.ndarray[Any, Any]]:
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
