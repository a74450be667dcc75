"""The table of checks: each is proven, and a sound experiment has nothing to fear from any of them."""

import re
from pathlib import Path

import pytest

from engine.doctor.outcome import FAIL, WARN
from engine.doctor.table import CHECKS, chosen, examine
from engine.stages import STAGES

ROOT = Path(__file__).parents[3]
TRAINING = {"student", "backbone", "teacher", "distill"}


def test_every_check_has_a_name_of_its_own_and_a_stage() -> None:
    names = [check.name for check in CHECKS]
    assert len(names) == len(set(names)) and {check.about for check in CHECKS} == set(STAGES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_is_proven_by_a_test_that_names_it(check) -> None:
    text = (ROOT / check.proven).read_text(encoding="utf-8")
    general = re.sub(rf"^({'|'.join(TRAINING)}|knowledge|evaluate)-", "", check.name)
    assert check.name in text or f'"{general}"' in text or f"student-{general}" in text


def test_nothing_is_named_in_a_sound_experiment_before_anything_is_trained(case) -> None:
    found = list(examine(case(), CHECKS))
    assert [one for one in found if one.outcome.verdict in (FAIL, WARN)] == []
    assert sum(one.outcome.verdict == "pass" for one in found) > 30


def test_a_word_chooses_checks_by_name_and_a_stage_those_it_needs() -> None:
    assert {check.name for check in chosen(list(STAGES), ["overfit"])} == {f"{stage}-overfits" for stage in TRAINING}
    assert {check.about for check in chosen(["data", "student"], [])} == {"data", "student"}
