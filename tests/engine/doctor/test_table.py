"""The table of checks: each has a test, and none fails on a sound experiment."""

import re
from pathlib import Path

import pytest

from engine.doctor.check import FAIL, WARN, Check
from engine.doctor.table import CHECKS, chosen, examine
from engine.stages import STAGES
from tests.fixtures.doctor import Doctor

ROOT = Path(__file__).parents[3]
TRAINING = {"student", "backbone", "teacher", "distill"}


def test_every_check_has_a_name_of_its_own_and_a_stage() -> None:
    names = [check.name for check in CHECKS]
    assert len(names) == len(set(names)) and {check.stage for check in CHECKS} == set(STAGES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_has_a_test_that_names_it(check: Check) -> None:
    text = (ROOT / check.test).read_text(encoding="utf-8")
    general = re.sub(rf"^({'|'.join(TRAINING)}|knowledge|evaluate)-", "", check.name)
    assert check.name in text or f'"{general}"' in text or f"student-{general}" in text


def test_a_sound_experiment_that_is_not_trained_yet_has_no_fault(doctor: Doctor) -> None:
    found = list(examine(doctor.case(), CHECKS))
    assert [one for one in found if one.outcome.verdict in (FAIL, WARN)] == []
    assert sum(one.outcome.verdict == "pass" for one in found) > 30


def test_checks_are_chosen_by_a_part_of_their_name_and_by_stage() -> None:
    assert {check.name for check in chosen(list(STAGES), ["overfit"])} == {f"{stage}-overfits" for stage in TRAINING}
    assert {check.stage for check in chosen(["data", "student"], [])} == {"data", "student"}
