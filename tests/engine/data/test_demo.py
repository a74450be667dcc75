"""The demo world: the same for a seed, long-tailed, with titles that carry what ids cannot learn."""

import dataclasses
import re
from collections import Counter
from time import process_time
from typing import Any

import numpy as np
import pytest

from engine.config import load
from engine.config.settings.data import WorldSettings
from engine.data import words
from engine.data.demo import generate
from engine.data.prepare import Prepared, prepare
from engine.data.sequences import Rows
from engine.data.stretches import histories

TITLE = re.compile(r"(?P<series>\w+ \w+?)(?: (?P<part>\d+))?: (?P<mood>\w+) (?P<era>\w+) (?P<genre>\w+)")


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """The world of ``conf/data/demo.yaml``."""
    given = load(["data=demo"]).data
    assert given.world is not None
    return prepare(given, *generate(given.world))


def small(sets: Any, **changes: Any) -> WorldSettings:
    world = sets.settings("demo").world
    return dataclasses.replace(world, **{"users": 60, "items": 120, "series": 30} | changes)


def test_the_same_seed_gives_the_same_world_and_another_another(sets: Any) -> None:
    (one, first), (two, second) = generate(small(sets)), generate(small(sets))
    assert np.array_equal(one.item, two.item) and np.array_equal(first, second)
    other, _ = generate(small(sets, seed=2))
    assert len(other) != len(one) or not np.array_equal(other.item, one.item)


def test_nobody_has_an_item_twice_and_everybody_has_enough(sets: Any) -> None:
    read, _ = generate(small(sets))
    pairs = Counter(zip(read.user.tolist(), read.item.tolist(), strict=True))
    assert max(pairs.values()) == 1
    assert np.bincount(read.user).min() >= 5


def test_the_oracle_is_a_distribution_over_what_the_user_has_not_seen(sets: Any) -> None:
    read, oracle = generate(small(sets))
    np.testing.assert_allclose(oracle.sum(axis=1), 1, rtol=1e-5)
    for user in range(60):
        history = read.item[read.user == user]
        assert oracle[user, history[:-1]].sum() == 0
        assert oracle[user, history[-1]] > 0


def test_last_events_are_drawn_from_the_oracle(sets: Any) -> None:
    """Over many users the mean log-probability of what was drawn is the distribution's own negative entropy."""
    read, oracle = generate(small(sets, users=2000))
    last = np.flatnonzero(np.append(read.user[1:] != read.user[:-1], True))
    p = oracle.astype(np.float64)
    log_p = np.log(p[read.user[last], read.item[last]])
    logs = np.log(np.where(p > 0, p, 1))
    entropy, spread = -(p * logs).sum(axis=1), (p * logs**2).sum(axis=1) - (p * logs).sum(axis=1) ** 2
    assert abs(log_p.mean() + entropy.mean()) < 4 * np.sqrt(spread.sum()) / 2000


def test_a_user_who_follows_goes_on_with_the_next_part(sets: Any) -> None:
    read, _ = generate(small(sets, follow=1.0))
    titles = [TITLE.fullmatch(title) for title in read.catalogue.title.to_pylist()]
    names = [(match["series"], int(match["part"] or 1)) for match in titles if match]
    assert len(names) == 120
    following, possible = 0, 0
    cold = set(range(120)) - set(read.item.tolist())
    for user in range(60):
        history = [names[item] for item in read.item[read.user == user]]
        for step in range(1, len(history)):
            wanted = (history[step - 1][0], history[step - 1][1] + 1)
            if wanted in names and wanted not in history[:step] and names.index(wanted) not in cold:
                possible += 1
                following += history[step] == wanted
    assert possible > 100 and following / possible > 0.9  # the rest waited for a cold part


def test_cold_items_appear_in_the_last_two_events_only(sets: Any) -> None:
    world = small(sets, cold=0.3)
    read, _ = generate(world)
    early = set()
    for user in range(world.users):
        early |= set(read.item[read.user == user][:-2].tolist())
    late = set(read.item.tolist()) - early
    assert len(early) <= world.items * 0.85 and len(late) > 10


def test_a_title_says_series_part_mood_era_and_genre(prepared: Prepared) -> None:
    titles = prepared.items["title"].to_pylist()
    matches = [TITLE.fullmatch(title) for title in titles]
    assert all(matches) and len(set(titles)) == len(titles)
    for match, text in zip(matches, prepared.items["text"].to_pylist(), strict=True):
        assert match and match["mood"] in words.MOODS and match["era"] in words.ERAS and match["genre"] in words.GENRES
        assert match["series"] in text and f"part {match['part'] or 1} of" in text


def test_series_have_different_names() -> None:
    assert len({words.series(number) for number in range(1444)}) == 1444


def test_the_default_world_has_the_size_and_the_tail_that_were_asked_for(prepared: Prepared) -> None:
    profile = prepared.profile
    assert (profile["users"], profile["items"]) == (1200, 1800) and 19_000 < profile["interactions"] < 21_500
    seen = np.sort(prepared.items["seen"].to_numpy())[::-1]
    assert seen[:180].sum() > 0.3 * seen.sum()  # a tenth of the items has a third of the events
    assert (seen <= 5).mean() > 0.35 and profile["cold_items"] >= 40


def test_oracle_and_popularity_are_a_ceiling_and_a_floor_far_apart(prepared: Prepared) -> None:
    assert prepared.oracle is not None and prepared.oracle.shape == (1200, 1801)
    ceiling = ndcg(prepared.oracle, prepared.test).mean()
    popular = np.append(-np.inf, prepared.items["seen"].to_numpy())
    floor = ndcg(np.repeat(popular[None], 1200, axis=0), prepared.test).mean()
    assert 0.30 < ceiling < 0.45 and 0.02 < floor < 0.07


def test_on_the_tail_titles_say_what_transitions_between_ids_cannot(prepared: Prepared) -> None:
    """Words shared with the latest titles, against how often an item followed the latest ones in training."""
    test = prepared.test
    tail = prepared.items["seen"].to_numpy()[test.targets - 1] <= 5
    by_words, by_ids = ndcg(shared_words(prepared), test)[tail], ndcg(transitions(prepared), test)[tail]
    oracle = ndcg(prepared.oracle, test)[tail]
    assert tail.sum() > 150
    assert by_words.mean() > 2 * by_ids.mean() and by_words.mean() > 0.25 * oracle.mean()


def test_a_world_is_made_in_seconds(sets: Any) -> None:
    begin = process_time()
    generate(sets.settings("demo").world)
    assert process_time() - begin < 5


def shared_words(prepared: Prepared) -> np.ndarray:
    """Score of every item by the words its title shares with the latest titles, rare words and late titles first."""
    titles = [set(title.replace(":", "").split()) for title in prepared.items["title"].to_pylist()]
    column = {word: number for number, word in enumerate(sorted(set().union(*titles)))}
    has = np.zeros((len(titles) + 1, len(column)))
    for item, title in enumerate(titles, start=1):
        has[item, [column[word] for word in title]] = 1
    rare = np.log(len(titles) / has.sum(axis=0))
    return recent(prepared.test, 0.6, has) * rare @ has.T


def transitions(prepared: Prepared) -> np.ndarray:
    """Score of every item by how often it followed the latest items in training, then by popularity."""
    count = len(prepared.items) + 1
    follows = np.zeros((count, count))
    sequences = histories(prepared.trained)
    for begin, end in zip(sequences.offsets[:-1], sequences.offsets[1:], strict=True):
        np.add.at(follows, (sequences.items[begin : end - 1], sequences.items[begin + 1 : end]), 1)
    popular = np.bincount(sequences.items, minlength=count)
    return recent(prepared.test, 0.6, follows) + 1e-6 * popular


def recent(rows: Rows, decay: float, table: np.ndarray) -> np.ndarray:
    """Sum of the table's rows over each history, weighted by ``decay`` to the age."""
    result = np.zeros((len(rows), table.shape[1]))
    for row in range(len(rows)):
        history = rows.items[rows.start[row] : rows.stop[row]][::-1]
        result[row] = decay ** np.arange(len(history)) @ table[history]
    return result


def ndcg(scores: np.ndarray | None, rows: Rows) -> np.ndarray:  # [R]
    """NDCG@10 with seen items hidden and ties at their average rank."""
    assert scores is not None
    scores = scores.astype(np.float64, copy=True)
    scores[:, 0] = -np.inf
    targets = scores[np.arange(len(rows)), rows.targets]
    for row in range(len(rows)):
        scores[row, rows.items[rows.start[row] : rows.stop[row]]] = -np.inf
    scores[np.arange(len(rows)), rows.targets] = targets
    ranks = 1 + (scores > targets[:, None]).sum(axis=1) + ((scores == targets[:, None]).sum(axis=1) - 1) / 2
    return np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0)
