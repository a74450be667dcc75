"""A mixture is judged on rows that did not choose it."""

import numpy as np
import pytest
from safetensors.torch import load_file

from engine.doctor.check import Unavailable
from engine.doctor.mixture import cross_fitted, mixtures
from engine.doctor.quality import BOOTSTRAP, ROWS, SEED, values
from engine.metrics.statistics import paired_rows
from engine.stages import ADAPTER
from engine.teacher.build import settings_of
from tests.fixtures.doctor import Doctor

BEFORE = ("data", "student", "backbone", "teacher", "knowledge")


def test_noise_passes_in_less_than_one_case_of_twenty() -> None:
    draw = np.random.default_rng(12)
    passed, naive, trials = 0, 0, 300
    for _ in range(trials):
        base = draw.choice([0.0, 0.4, 1.0], 400, p=[0.8, 0.15, 0.05])
        moved = draw.random((24, 400)) < 0.15  # a mixture ranks some rows anew, no better on the whole
        ndcg = np.where(moved, draw.choice([0.0, 0.4, 1.0], (24, 400), p=[0.8, 0.15, 0.05]), base)
        own, _ = cross_fitted(ndcg, np.arange(400))
        passed += paired_rows(base, own, BOOTSTRAP, SEED).low > 0
        naive += paired_rows(base, ndcg[ndcg.mean(axis=1).argmax()], BOOTSTRAP, SEED).low > 0
    assert passed / trials < 0.05 < naive / trials


def test_a_true_gain_passes_and_has_no_optimism_where_one_mixture_is_the_best_everywhere() -> None:
    draw = np.random.default_rng(1)
    base = draw.choice([0.0, 0.4, 1.0], 2000, p=[0.8, 0.15, 0.05])
    ndcg = np.stack([base, np.minimum(1.0, base + 0.1)])
    own, optimism = cross_fitted(ndcg, np.arange(2000))
    assert np.array_equal(own, ndcg[1]) and abs(optimism) < 0.02
    assert paired_rows(base, own, BOOTSTRAP, SEED).low > 0


def test_a_row_is_judged_under_what_the_other_half_of_the_users_chose() -> None:
    users = np.repeat(np.arange(60), 2)  # two rows of a user stay together
    ndcg = np.random.default_rng(2).random((5, 120))
    own, optimism = cross_fitted(ndcg, users)
    chosen = [set(np.flatnonzero(np.isclose(ndcg[:, row], own[row]))) for row in range(120)]
    assert all(chosen[row] == chosen[row + 1] for row in range(0, 120, 2))
    used = {next(iter(one)) for one in chosen}
    assert len(used) <= 2 and optimism > 0
    for mixture in used:
        judged = np.array([mixture in one for one in chosen])
        assert len(used) == 1 or ndcg[:, ~judged].mean(axis=1).argmax() == mixture


def test_one_user_cannot_be_halved() -> None:
    with pytest.raises(Unavailable, match="too few"):
        cross_fitted(np.ones((2, 3)), np.zeros(3, dtype=np.int64))


def test_the_mixture_that_the_teacher_chose_is_among_those_ranked_again(doctor: Doctor) -> None:
    case = doctor.case(*BEFORE)
    found = mixtures(case, ROWS)
    assert found is not None
    ndcg, users = found
    adapter = case.artifact(ADAPTER)
    rules, kept = settings_of(adapter).rank, load_file(adapter)
    assert rules is not None and np.array_equal(users, case.rows["validation"].users)
    own = values(case, "teacher")["validation"].ndcg
    assert any(np.allclose(one, own, atol=1e-9) for one in ndcg), kept["head.student_weight"]
    student = values(case, "student")["validation"].ndcg
    if 1.0 in rules.student_weights:
        assert any(np.allclose(one, student, atol=1e-9) for one in ndcg)
