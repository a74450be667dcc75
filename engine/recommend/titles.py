"""Search for items: by title, by raw id, or by the most similar titles.

Closeness is Dice's coefficient of letter triples, then ``difflib`` among the closest few. Letters: n items, G triples.
"""

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.data import ids
from engine.data.titles import film

BUCKETS = 1 << 18  # triples share a bucket once in a while, which only makes the first sieve a little coarser
SIEVED = 60  # titles that pass the sieve
_OTHER = re.compile(r"[\W_]+")


def plain(title: str) -> str:
    """Letters and digits without case, accents and punctuation: 'Amélie (2001)' -> 'amelie 2001'."""
    letters = title.casefold()
    if not letters.isascii():
        letters = "".join(c for c in unicodedata.normalize("NFKD", letters) if not unicodedata.combining(c))
    return _OTHER.sub(" ", letters).strip()


class Titles:
    """A searchable catalogue. ``titles`` and ``raw`` hold '' for the padding, then items 1..n."""

    def __init__(self, titles: Sequence[str], raw: Sequence[str]) -> None:
        self.titles, self.raw = titles, raw
        self._by_raw = {name: item for item, name in enumerate(raw) if item != ids.PADDING}
        self._by_title: defaultdict[str, list[int]] = defaultdict(list)
        self._plain = [plain(title) for title in titles]
        for item, text in enumerate(self._plain):
            if item != ids.PADDING:
                self._by_title[text].append(item)
        self._words = [f" {text}" for text in self._plain]  # a blank before every word

    def prepare(self) -> None:
        """Build the index for misspelt titles now instead of at the first one."""
        _ = self._sieve

    @cached_property
    def _sieve(self) -> "_Sieve":
        owners, buckets = _triples(self._plain)
        order = np.argsort(buckets, kind="stable")
        return _Sieve(
            owners[order],
            np.searchsorted(buckets[order], np.arange(BUCKETS + 1)),
            np.bincount(owners, minlength=len(self._plain)),
        )

    def named(self, text: str) -> list[int]:
        """Items with this title (the year at its end may be missing or not), else the item with this raw id."""
        for name in (text, film(text)[0]):
            found = self._by_title.get(plain(name))
            if found and plain(name):
                return found
        return [self._by_raw[text.strip()]] if text.strip() in self._by_raw else []

    def complete(self, text: str, count: int) -> list[int]:
        """Completions of a partly typed title: the title itself, titles with this start, titles in which every typed
        word starts a word, shorter ones first; then the most similar ones."""
        words = [f" {word}" for word in plain(text).split()]
        found = dict.fromkeys(self.named(text))
        if words:
            whole = "".join(words)
            begun = [item for item, title in enumerate(self._words) if words[0] in title]
            for word in words[1:]:
                begun = [item for item in begun if word in self._words[item]]
            begun.sort(key=lambda item: (not self._words[item].startswith(whole), len(self._words[item])))
            found |= dict.fromkeys(begun[:count])
        if len(found) < count:
            found |= dict.fromkeys(self.nearest(text, count))
        return list(found)[:count]

    def nearest(self, text: str, count: int = 3) -> list[int]:
        """Items with the most similar titles, best first; none where no title is similar."""
        wanted = plain(text)
        _, buckets = _triples([wanted])
        buckets = np.unique(buckets)
        if len(buckets) == 0:
            return []
        sieve = self._sieve
        hits = np.concatenate([sieve.owners[sieve.offsets[b] : sieve.offsets[b + 1]] for b in buckets])
        shared = np.bincount(hits, minlength=len(sieve.sizes))
        alike = 2 * shared / (sieve.sizes + len(buckets))
        first = np.argsort(-alike, kind="stable")[:SIEVED]
        first = first[alike[first] > 0.2]
        matcher = difflib.SequenceMatcher(b=wanted, autojunk=False)
        scored = []
        for item in first.tolist():
            matcher.set_seq1(self._plain[item])
            scored.append((matcher.ratio(), item))
        return [item for _, item in sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:count]]


@dataclass(frozen=True)
class _Sieve:
    """Which titles have a triple."""

    owners: NDArray[np.int64]  # [G] item ids, bucket after bucket
    offsets: NDArray[np.int64]  # [BUCKETS + 1] of the buckets
    sizes: NDArray[np.int64]  # [n + 1] triples of each title


def _triples(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the text [G] and bucket [G] of every three neighbouring letters; texts stand between two spaces each."""
    text = "".join(f"  {text}  " for text in texts)
    joined = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    lengths = np.array([len(text) + 4 for text in texts], dtype=np.int64)
    owners = np.repeat(np.arange(len(texts)), lengths)
    if len(joined) < 3:
        return owners[:0], owners[:0]
    hashed = (joined[:-2] * 1_000_003 + joined[1:-1]) * 1_000_003 + joined[2:]
    inside = (owners[:-2] == owners[2:]) & (lengths[owners[:-2]] > 4)
    return owners[:-2][inside], (hashed[inside] ^ (hashed[inside] >> 18)) % BUCKETS
