"""Teachers that name one of the candidates in their prompt no better than their controls do."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.doctor.candidates import least_gain
from tests.fixtures.doctor import Doctor
from tests.fixtures.small_runs import Chain

CHECK = "candidate-controls"


def trained(doctor: Doctor, generative: Chain, own: float, popularity: float, student: float, rows: int) -> Path:
    """A teacher's run that noted these figures."""
    folder = Path(shutil.copytree(generative.runs / "teacher", doctor.scratch / "altered" / "generating"))
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    assert {"candidate_popularity", "candidate_student", "candidate_rows"} <= summary["facts"].keys()
    facts = {"candidate_popularity": popularity, "candidate_student": student, "candidate_rows": rows}
    summary["facts"] |= facts
    summary["kept"]["candidate_hr@1"] = own
    path.write_text(json.dumps(summary))
    return folder


@pytest.mark.parametrize(
    ("own", "popularity", "student", "rows", "verdict", "over"),
    [
        (0.128, 0.253, 0.263, 94, "warn", "student"),
        (0.442, 0.253, 0.344, 95, "warn", "student"),  # LLaRA and SASRec on 95 rows
        (0.442, 0.253, 0.344, 2000, "pass", "student"),
        (0.442, 0.435, 0.344, 2000, "warn", "popularity"),
    ],
)
def test_a_teacher_has_to_be_surely_above_the_better_control(
    doctor: Doctor,
    generative: Chain,
    own: float,
    popularity: float,
    student: float,
    rows: int,
    verdict: str,
    over: str,
) -> None:
    folder = trained(doctor, generative, own, popularity, student, rows)
    found = doctor.outcomes((CHECK,), "data", "student", "backbone", altered={"teacher": folder})[CHECK]
    assert found.verdict == verdict and f"over {over}" in found.evidence, found
    assert f"{own:.3f}, popularity {popularity:.3f}, student {student:.3f}" in found.evidence
    assert "tokens" in found.evidence


def test_a_teacher_that_ranks_the_catalogue_is_not_judged_by_candidates(doctor: Doctor) -> None:
    found = doctor.outcomes((CHECK,), "data", "student", "backbone", "teacher")[CHECK]
    assert found.verdict == "skip" and "no candidates" in found.evidence


def test_equal_models_are_seldom_told_apart() -> None:
    draw = np.random.default_rng(0)
    ahead = [least_gain(a / 95, b / 95, 95) > 0 for a, b in draw.binomial(95, 0.3, (2000, 2))]
    assert sum(ahead) <= 0.025 * len(ahead)
