"""The mixtures of a teacher, ranked again."""

import numpy as np
from safetensors.torch import load_file

from engine.doctor.mixture import mixtures
from engine.doctor.quality import ROWS, values
from engine.stages import ADAPTER
from engine.teacher.build import settings_of
from tests.fixtures.doctor import Doctor

BEFORE = ("data", "student", "backbone", "teacher", "knowledge")


def test_the_mixture_that_the_teacher_chose_is_among_those_ranked_again(doctor: Doctor) -> None:
    case = doctor.case(*BEFORE)
    found = mixtures(case, ROWS)
    assert found is not None
    adapter = case.artifact(ADAPTER)
    rules, kept = settings_of(adapter).rank, load_file(adapter)
    assert rules is not None and np.array_equal(found.users, case.rows["validation"].users)
    own = values(case, "teacher")["validation"].ndcg
    assert any(np.allclose(one, own, atol=1e-9) for one in found.ndcg), kept["head.student_weight"]
    student = values(case, "student")["validation"].ndcg
    if 1.0 in rules.student_weights:
        assert any(np.allclose(one, student, atol=1e-9) for one in found.ndcg)


def test_a_mixture_is_ranked_for_every_weight_of_the_states(doctor: Doctor) -> None:
    case = doctor.case(*BEFORE)
    found, rules = mixtures(case, ROWS), settings_of(case.artifact(ADAPTER)).rank
    assert found is not None and rules is not None
    assert len(found.lm_weights) == len(found.ndcg)
    assert set(found.lm_weights) == (set(rules.lm_weights) if found.lm_weights.any() else {0.0})
