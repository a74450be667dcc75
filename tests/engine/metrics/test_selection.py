"""What is chosen on rows is judged on others."""

import numpy as np
import pytest

from engine.metrics.selection import HALVES, Floats, Users, by_half, cross_fitted, in_first_half, optimism
from engine.metrics.statistics import paired_rows


def fitted(values: Floats, users: Users) -> tuple[Floats, float]:
    found = cross_fitted(values, users)
    assert found is not None
    return found


def test_noise_passes_in_less_than_one_case_of_twenty() -> None:
    draw = np.random.default_rng(12)
    passed, naive, trials = 0, 0, 300
    for _ in range(trials):
        base = draw.choice([0.0, 0.4, 1.0], 400, p=[0.8, 0.15, 0.05])
        moved = draw.random((24, 400)) < 0.15  # a mixture ranks some rows anew, no better on the whole
        ndcg = np.where(moved, draw.choice([0.0, 0.4, 1.0], (24, 400), p=[0.8, 0.15, 0.05]), base)
        own, _ = fitted(ndcg, np.arange(400))
        passed += paired_rows(base, own, 500, 1).low > 0
        naive += paired_rows(base, ndcg[ndcg.mean(axis=1).argmax()], 500, 1).low > 0
    assert passed / trials < 0.05 < naive / trials


def test_a_true_gain_passes_and_has_no_optimism_where_one_mixture_is_the_best_everywhere() -> None:
    draw = np.random.default_rng(1)
    base = draw.choice([0.0, 0.4, 1.0], 2000, p=[0.8, 0.15, 0.05])
    ndcg = np.stack([base, np.minimum(1.0, base + 0.1)])
    own, found = fitted(ndcg, np.arange(2000))
    assert np.array_equal(own, ndcg[1]) and abs(found) < 0.02
    assert paired_rows(base, own, 500, 1).low > 0


def test_a_row_is_judged_under_what_the_other_half_of_the_users_chose() -> None:
    users = np.repeat(np.arange(60), 2)  # two rows of a user stay together
    ndcg = np.random.default_rng(2).random((5, 120))
    own, found = fitted(ndcg, users)
    chosen = [set(np.flatnonzero(np.isclose(ndcg[:, row], own[row]))) for row in range(120)]
    assert all(chosen[row] == chosen[row + 1] for row in range(0, 120, 2))
    used = {next(iter(one)) for one in chosen}
    assert len(used) <= 2 and found > 0
    for mixture in used:
        judged = np.array([mixture in one for one in chosen])
        assert len(used) == 1 or ndcg[:, ~judged].mean(axis=1).argmax() == mixture


def test_one_user_cannot_be_halved() -> None:
    one = np.zeros(3, dtype=np.int64)
    assert cross_fitted(np.ones((2, 3)), one) is None and by_half(np.ones(3), one) == {}


def test_the_means_on_both_halves_give_the_same_optimism_as_the_rows() -> None:
    users, values = np.arange(80), np.random.default_rng(4).random((6, 80))
    halves = [list(by_half(own, users).values()) for own in values]
    assert optimism(halves) == pytest.approx(fitted(values, users)[1])
    first = in_first_half(users)
    assert by_half(values[2], users) == {
        HALVES[0]: pytest.approx(values[2][first].mean()),
        HALVES[1]: pytest.approx(values[2][~first].mean()),
    }
    assert 20 < first.sum() < 60


def test_one_alternative_has_no_optimism() -> None:
    assert optimism([[0.2, 0.5]]) == 0.0
