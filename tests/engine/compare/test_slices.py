"""Models compared on slices of the test rows over seeds."""

import re
from typing import Any

import numpy as np
import pytest

from engine.compare.groups import by_experiment, member_of
from engine.compare.models import ModelComparison, compare_models, text
from engine.compare.slices import SliceDifference
from engine.evaluate.figures import per_row
from engine.metrics.statistics import holm, paired_t


def compared(world: Any) -> ModelComparison:
    entries = world.store.scan()
    by_id = {entry.id: entry for entry in entries}
    (group,) = by_experiment([member_of(entry, by_id) for entry in entries if entry.info.stage == "evaluate"])
    return compare_models(group, "protocol")


PAIRS = [("popularity", "student"), ("student", "distilled")]


def asked(one: SliceDifference) -> tuple[str, str]:
    return one.baseline, one.model


def test_models_are_compared_on_every_slice_over_seeds(world: Any) -> None:
    for seed in (1, 2, 3):
        world.evaluate("taught", seed, ranks=world.ranks(seed), distilled=world.ranks(seed, 0.5))
    found = compared(world)
    assert [part.name for part in found.parts] == ["head", "tail"]
    p, every = [], [one for pair in PAIRS for part in found.parts for one in part.versus if asked(one) == pair]
    assert len(every) == 4 and [one.p_holm for one in every] == holm([one.p for one in every])  # printed together
    for part, rows in zip(found.parts, (slice(0, 30), slice(30, 60)), strict=True):
        a, b = (
            [per_row(world.ranks(seed, better))["ndcg@10"][rows].mean() for seed in (1, 2, 3)] for better in (0.0, 0.5)
        )
        (own,) = [one for one in part.versus if (one.baseline, one.model) == ("student", "distilled")]
        t = paired_t(a, b)
        assert (own.mean, own.low, own.high, own.p) == pytest.approx((t.mean, t.low, t.high, t.p), rel=1e-6, abs=1e-9)
        assert part.spreads["distilled"].mean == pytest.approx(np.mean(b)) and part.rows == 30
        p.append(own)
    assert [own.verdict for own in p] == ["better", "undecided"]
    (sentence,) = [line for line in found.verdict if line.startswith("distilled is better than student")]
    assert sentence.endswith(" Over seeds better on head; undecided on tail.")


def test_one_seed_says_nothing_about_slices(world: Any) -> None:
    world.evaluate("once", 1, ranks=world.ranks(1), distilled=world.ranks(1, 0.9))
    found = compared(world)
    assert found.parts and not any(part.versus for part in found.parts)
    assert not any("Over seeds" in line for line in found.verdict)


def test_an_evaluation_without_a_table_of_slices_has_none(world: Any) -> None:
    run = world.evaluate("once", 1, ranks=world.ranks(1))
    (world.store.root / run / "artifacts" / "slices.csv").unlink()
    found = compared(world)
    assert found.parts == [] and not re.search(r"\b(head|middle|tail|cold)\b", text(found))


def test_two_seeds_are_enough_for_a_test_and_a_seed_without_the_model_is_left_out(world: Any) -> None:
    for seed in (1, 2):
        world.evaluate("taught", seed, ranks=world.ranks(seed), distilled=world.ranks(seed, 0.5))
    world.evaluate("taught", 3, ranks=world.ranks(3))
    own = [one for part in compared(world).parts for one in part.versus if one.model == "distilled"]
    assert own and {one.n for one in own} == {2}
