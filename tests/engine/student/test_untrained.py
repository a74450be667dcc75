"""Models without training against slow loops over the same events."""

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from engine.data.sequences import Rows, Sequences
from engine.stages import BLEND, TITLES, TRANSITIONS
from engine.student.title_similarity import similarities
from engine.student.untrained import FLOOR, GAP, LAST, PRIOR, Untrained, log_probabilities, real_titles

ITEMS = 12
NAMES = [
    "",
    "red car",
    "red cars",
    "blue car",
    "green boat",
    "green boats",
    "",
    "a doll",
    "dolls",
    "x",
    "red doll",
    "z9",
    "",
]


@pytest.fixture(scope="module")
def trained() -> Sequences:
    draw = np.random.default_rng(4)
    lengths = [1, 14, 0, 5, 3, 22]  # longer than GAP, empty, and a single event
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    return Sequences(draw.integers(1, ITEMS, offsets[-1]).astype(np.int32), offsets, np.arange(len(lengths)))


@pytest.fixture(scope="module")
def rows() -> Rows:
    draw = np.random.default_rng(5)
    stop = np.array([3, 17, 30, 31, 32])
    return Rows(draw.integers(1, ITEMS + 1, 40).astype(np.int32), np.array([0, 3, 17, 31, 31]), stop, np.arange(5))


def counted(trained: Sequences) -> dict[int, dict[int, float]]:
    found: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for start, stop in zip(trained.offsets[:-1], trained.offsets[1:], strict=True):
        own = trained.items[start:stop].tolist()
        for index, item in enumerate(own):
            for gap in range(1, GAP + 1):
                if index + gap < len(own) and own[index + gap] != item:
                    found[item][own[index + gap]] += 1 / gap
    return found


@pytest.mark.parametrize("name", [TRANSITIONS, TITLES, BLEND])
def test_scores_are_the_formula_of_the_module(trained: Sequences, rows: Rows, name: str) -> None:
    counts, alike = counted(trained), similarities(NAMES).toarray().astype(float)
    popularity = np.bincount(trained.items, minlength=ITEMS + 1) / len(trained.items)
    score = Untrained(trained, NAMES).model(name).after_rows(rows, "cpu")
    block = score(slice(1, 5))
    assert block.shape == (4, ITEMS + 1) and (block[:, 0] == -math.inf).all()
    for row in range(1, 5):
        history = rows.items[rows.start[row] : rows.stop[row]].tolist()[::-1][:LAST]
        for j in range(1, ITEMS + 1):
            expected = 0.0
            for k, item in enumerate(history, 1):
                total, weight = sum(counts[item].values()), counts[item][j]
                back_off = popularity[j]
                if name == TITLES:
                    expected += alike[item, j] / k
                    continue
                prior = PRIOR * back_off
                if name == BLEND:  # what no title is like is left to popularity
                    prior += PRIOR * (alike[item, j] + (1 - alike[item].sum()) * back_off)
                expected += (weight + prior) / (total + PRIOR * (2 if name == BLEND else 1)) / k
            assert block[row - 1, j].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_after_every_item_the_probabilities_add_up_to_one(trained: Sequences) -> None:
    known = Untrained(trained, NAMES)
    for name in (TRANSITIONS, BLEND):
        model = known.model(name)
        assert np.asarray(model.after.sum(axis=1) + model.back_off / model.total).tolist()[1:] == pytest.approx(
            [1.0] * ITEMS, rel=1e-5
        )


def test_an_item_called_by_its_raw_id_has_no_title(tmp_path: Path) -> None:
    table = pa.table({"raw": ["7", "8", "9"], "title": ["item 7", "Item Nine", "item 8"]})
    pq.write_table(table, tmp_path / "items.parquet")
    assert real_titles(tmp_path / "items.parquet") == ["", "", "Item Nine", "item 8"]
    assert not Untrained(Sequences(*(np.zeros(2, dtype=np.int64),) * 3), ["", "", ""]).titled


@pytest.mark.parametrize("name", [TRANSITIONS, TITLES, BLEND])
def test_a_training_row_is_predicted_as_if_its_own_user_had_not_been_counted(trained: Sequences, name: str) -> None:
    last = np.setdiff1d(np.arange(len(trained.items)), trained.offsets[1:] - 1)  # a further event follows
    model = Untrained(trained, NAMES).model(name)
    found = model.after_events(trained, last, "cpu")(slice(3, 30))
    user = np.searchsorted(trained.offsets, last, side="right") - 1
    for row, (end, own) in enumerate(zip(last[3:30], user[3:30], strict=True)):
        lengths = np.diff(trained.offsets)
        lengths[own] = 0
        kept = np.repeat(np.arange(len(trained)), np.diff(trained.offsets)) != own
        others = Sequences(trained.items[kept], np.cumsum([0, *lengths]), trained.users)
        known = Untrained(others, NAMES)
        known.__dict__["_popularity"] = model.popularity  # of all users
        rows = Rows(trained.items, trained.offsets[[own]], np.array([end + 1]), np.array([own]))
        expected = known.model(name).after_rows(rows, "cpu")(slice(0, 1))[0]
        assert found[row].tolist() == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", [TRANSITIONS, BLEND])
def test_what_follows_a_whole_sequence_is_predicted_as_a_held_out_row(trained: Sequences, name: str) -> None:
    last = trained.offsets[1:][np.diff(trained.offsets) > 0] - 1
    user = np.searchsorted(trained.offsets, last, side="right") - 1
    rows = Rows(trained.items, trained.offsets[user], last + 1, user)
    model = Untrained(trained, NAMES).model(name)
    every = slice(0, len(last))
    found, expected = model.after_events(trained, last, "cpu")(every), model.after_rows(rows, "cpu")(every)
    assert found.flatten().tolist() == pytest.approx(expected.flatten().tolist(), rel=1e-5, abs=1e-7)


def test_log_probabilities_rule_no_item_out_but_the_padding() -> None:
    scores = torch.tensor([[-math.inf, 0.5, 0.0, 1.0]])
    found = log_probabilities(scores)[0].tolist()
    assert found == pytest.approx([-math.inf, *(math.log(value + FLOOR / 3) for value in (0.5, 0.0, 1.0))], abs=1e-6)
