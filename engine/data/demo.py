"""The demo world: synthetic users with drifting tastes over items whose titles describe them.

Every item has a genre, a mood, an era, a series and a part number; its title contains all five. A user has one interest
of each kind; before each event each may be drawn anew from the user's lasting tastes. The next item is, with chance
``follow``, the next part of the series just seen; otherwise item i with

    p(i) = w_i exp(genre_pull [g_i = g] + mood_pull [m_i = m] + era_pull [e_i = e]) / sum over unseen items

where w_i is a long-tailed popularity. Most items are seen a handful of times, some (``cold``) never before a user's
last two events: their ids carry no information, their titles do. The oracle is p itself.

Letters: U users, N items, A users still active. All randomness comes from ``Generator.random``, the stream that numpy
changes least.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.config.settings.data import WorldSettings
from engine.data import words
from engine.data.interactions import Catalogue, Interactions

VERSION = 1  # raise it when the same settings give another world
LEAST, MOST = 5, 80  # events of a user
LATER_PART = 0.85  # popularity of a part against the part before it
OWN_MOOD = 0.3  # share of the parts whose mood is not their series' mood

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Items:
    """The items and their hidden attributes."""

    series: Ints  # [N]
    part: Ints  # [N] 1, 2, ...
    parts: Ints  # [N] number of parts of the item's series
    attributes: Ints  # [3, N] genre, mood, era
    weight: Floats  # [N] popularity
    following: Ints  # [N] the next part of the series, -1 after the last
    cold: NDArray[np.bool_]  # [N]


def generate(world: WorldSettings) -> tuple[Interactions, NDArray[np.float32]]:
    """The events of a world and its oracle: p of every item as the last event of every user [U, N]."""
    draw = np.random.Generator(np.random.PCG64(world.seed))
    items = make_items(world, draw.random)
    events, oracle = _histories(world, items, draw.random)
    user, position = np.nonzero(events >= 0)
    numbers = np.arange(1, max(world.users, world.items) + 1).astype(str)
    return Interactions(
        user=user.astype(np.int32),
        item=events[user, position].astype(np.int32),
        users=pa.array(numbers[: world.users]),
        items=pa.array(numbers[: world.items]),
        time=position.astype(np.int64),
        rating=None,
        catalogue=Catalogue(
            raw=pa.array(numbers[: world.items]),
            title=pa.array(titles(items)),
            text=pa.array(texts(items)),
            complete=True,
        ),
    ), oracle.astype(np.float32)


def make_items(world: WorldSettings, random: Callable[..., Floats]) -> Items:
    """Series of different length and popularity, their parts scattered over the item numbers."""
    n, s = world.items, world.series
    lengths = 0.3 + random(s)  # short and long series, none endless
    ends = np.cumsum(lengths) / lengths.sum() * n
    series = np.searchsorted(ends, np.arange(n) + 0.5).clip(max=s - 1)
    starts = np.searchsorted(series, np.arange(s))
    part = np.arange(n) - starts[series] + 1
    kinds = (world.genres, world.moods, world.eras)
    attributes = np.stack([(random(s) * kind).astype(np.int64) for kind in kinds])[:, series]
    attributes[1] = np.where(random(n) < OWN_MOOD, (random(n) * world.moods).astype(np.int64), attributes[1])
    rank = np.argsort(np.argsort(random(s))) + 1.0
    weight = rank[series] ** -world.popularity * LATER_PART ** (part - 1) * np.exp(random(n) - 0.5)
    following = np.where(np.append(series[1:] == series[:-1], False), np.arange(n) + 1, -1)
    old = np.argsort(random(n))  # old number of every new number: ids carry nothing about series
    new = np.argsort(old)
    return Items(
        series=series[old],
        part=part[old],
        parts=np.bincount(series, minlength=s)[series][old],
        attributes=attributes[:, old],
        weight=weight[old],
        following=np.where(following[old] >= 0, new[following[old]], -1),
        cold=random(n) < world.cold,
    )


def _histories(world: WorldSettings, items: Items, random: Callable[..., Floats]) -> tuple[Ints, Floats]:
    """Item numbers of every user's events [U, MOST], -1 where there are no more, and the oracle [U, N]."""
    extra = -np.log(1 - random(world.users)) * max(world.events - LEAST + 0.5, 0.5)
    count = np.minimum(LEAST + extra.astype(np.int64), min(MOST, world.items // 2))
    order = np.argsort(-count, kind="stable")  # the users still active are then always the first ones
    kinds = (world.genres, world.moods, world.eras)
    pulls = (world.genre_pull, world.mood_pull, world.era_pull)
    tastes = [_tastes(world.users, kind, world.taste, random) for kind in kinds]
    attractions = [
        np.where(np.arange(kind)[:, None] == values, np.exp(pull), 1.0)  # [kind, N]
        for kind, values, pull in zip(kinds, items.attributes, pulls, strict=True)
    ]
    interests = [_pick(taste, random(world.users)) for taste in tastes]
    unseen = np.ones((world.users, world.items), dtype=bool)
    unseen[:, items.cold] = False
    events = np.full((world.users, MOST), -1)
    oracle = np.zeros((world.users, world.items))
    for step in range(int(count.max())):
        active = order[: int((count > step).sum())]  # [A]
        unseen[np.ix_(active[count[active] - 2 == step], np.flatnonzero(items.cold))] = True
        for interest, taste in zip(interests, tastes, strict=True):
            changed = active[random(len(active)) < world.drift]
            interest[changed] = _pick(taste[changed], random(len(changed)))
        chance = items.weight * attractions[0][interests[0][active]]  # [A, N]
        chance *= attractions[1][interests[1][active]]
        chance *= attractions[2][interests[2][active]]
        chance *= unseen[active]
        chance /= chance.sum(axis=1, keepdims=True)
        if step:
            following = items.following[events[active, step - 1]]
            rows = np.flatnonzero((following >= 0) & unseen[active, following])
            chance[rows] *= 1 - world.follow
            chance[rows, following[rows]] += world.follow
        last = count[active] == step + 1
        oracle[active[last]] = chance[last]
        chosen = _pick(chance, random(len(active)))
        events[active, step] = chosen
        unseen[active, chosen] = False
    return events, oracle


def _tastes(users: int, kinds: int, spread: float, random: Callable[..., Floats]) -> Floats:
    """Lasting chances of the interests of one kind [U, K]: softmax of ``spread`` times Gumbel noise."""
    logits = -spread * np.log(-np.log(random((users, kinds)).clip(1e-300, 1 - 1e-16)))
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def _pick(chances: Floats, uniform: Floats) -> Ints:
    """One column per row, drawn with the row's chances [A, N] by the inverse of their running sum."""
    running = np.cumsum(chances, axis=1)
    below = running <= (uniform * running[:, -1])[:, None] if len(running) else running > 0
    return np.asarray(below.sum(axis=1), dtype=np.int64)


def titles(items: Items) -> list[str]:
    """'Iron Meadow 2: Gloomy Victorian Western': the series, the part, and what it is."""
    return [
        f"{series}{f' {part}' if parts > 1 else ''}: {mood} {era} {genre}"
        for series, part, parts, genre, mood, era in _named(items)
    ]


def texts(items: Items) -> list[str]:
    """A sentence about each item."""
    return [
        f"{words.with_article(mood.lower())} {genre.lower()} of the {era} age, part {part} of {parts} of {series}."
        for series, part, parts, genre, mood, era in _named(items)
    ]


def _named(items: Items) -> Iterator[tuple[str, int, int, str, str, str]]:
    """Series, part, number of parts, genre, mood and era of every item, in words."""
    for series, part, parts, genre, mood, era in zip(
        items.series, items.part, items.parts, *items.attributes, strict=True
    ):
        yield words.series(series), part, parts, words.GENRES[genre], words.MOODS[mood], words.ERAS[era]
