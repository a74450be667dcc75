"""How prompts are packed: tightly, or to a few shapes, which a GPU can replay.

Letters: B prompts, N tokens of a packed batch.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from engine.backbone.packing import Packing, few_sizes, pack
from engine.backbone.pieces import Ints

SIZES = 5  # beside them there may be batches with more tokens than any that was looked at
MULTIPLE = 32  # of tokens
SHORTEST = 16  # tokens of the prompts of the first class
COLUMNS = 32  # multiple of the tokens that attention pads prompts to

Pack = Callable[[Ints], Packing]


def tight(device: str) -> Pack:
    """Packs prompts without padding, each batch in a shape of its own."""
    return lambda length: pack(length, device)


class FewShapes:
    """Packs prompts to the least of a few numbers of tokens that holds them; missing prompts are empty."""

    def __init__(self, batches: Sequence[Ints], longest: int, device: str) -> None:
        """``batches``: lengths of the prompts of batches like those to come; ``longest``: of any prompt."""
        self._device, self._longest = device, longest
        most = max(int(length.max(initial=1)) for length in batches)
        self._prompts = max(len(length) for length in batches)
        self._columns = min(-(-(most + 1) // COLUMNS) * COLUMNS, longest + 1)
        self.sizes = few_sizes([int(length.sum()) + 1 for length in batches], SIZES, MULTIPLE)

    def __call__(self, length: Ints) -> Packing:
        """The packing of prompts of ``length`` [B] tokens."""
        needed, largest = int(length.sum()) + 1, self.sizes[-1]
        size = next((size for size in self.sizes if size >= needed), 0)
        if not size:  # steps of a fifth of the largest size
            step = -(-largest // (5 * MULTIPLE)) * MULTIPLE
            size = largest + -(-(needed - largest) // step) * step
        fits = int(length.max(initial=0)) < self._columns
        whole = np.pad(length, (0, max(0, self._prompts - len(length))))
        return pack(whole, self._device, size, self._columns - 1 if fits else self._longest)


class OneShape:
    """Packs at most ``prompts`` prompts of at most ``longest`` and together ``tokens`` tokens to one shape."""

    def __init__(self, tokens: int, prompts: int, longest: int, device: str) -> None:
        self._tokens, self._prompts, self._longest, self._device = tokens, prompts, longest, device

    def __call__(self, length: Ints) -> Packing:
        """The packing of prompts of ``length`` [B] tokens; missing prompts are empty."""
        whole = np.pad(length, (0, self._prompts - len(length)))
        return pack(whole, self._device, self._tokens + 1, self._longest)


def token_batches(length: Ints, tokens: int, device: str) -> Iterator[tuple[Ints, Pack]]:
    """Indices of each batch of at most ``tokens`` tokens, and how to pack it; a longer prompt comes alone.

    Prompts of up to 16, 32, 64, ... tokens are apart, and batches of one class have one shape: attention's grid has at
    most about twice as many cells as there are tokens.
    """
    columns = np.maximum(SHORTEST, 2 ** np.ceil(np.log2(np.maximum(length, 1))).astype(np.int64))
    for width in np.unique(columns).tolist():
        some = np.flatnonzero(columns == width)
        rows = max(1, 2 * tokens // width)
        one = OneShape(max(tokens, width), rows, width, device)
        begin = 0
        while begin < len(some):
            count = int(np.searchsorted(np.cumsum(length[some[begin : begin + rows]]), tokens, side="right"))
            yield some[begin : begin + max(1, count)], one
            begin += max(1, count)
