"""The table of stages against what the stages do on a small world."""

from pathlib import Path
from typing import Any

import pytest

from engine.stages import STAGES

MODELS = "evaluate.models=[popularity,titles,oracle,student,student-refit,teacher,distilled]"
EVERYTHING = {  # what small runs leave out: a second training, oracle, ranking of candidates, choice of the baseline
    "student": ["student.refit=true"],
    "evaluate": ["student.refit=true", MODELS, "evaluate.candidates=4"],
    "distill": ["distill.choose=better"],
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_opens_and_makes_exactly_what_the_table_declares(small_runs: Any, stage: str, tmp_path: Path) -> None:
    run = small_runs.used[stage]
    if stage in EVERYTHING:
        chain = type(small_runs)(tmp_path).copy(small_runs, *(name for name in STAGES if name != stage))
        refit = {}
        if stage == "evaluate":
            chain.perform("student", "again", EVERYTHING["student"])
            refit = {"student": "again"}
        chain.perform(stage, overrides=EVERYTHING[stage], inputs=refit)
        run = chain.used[stage]
    assert {artifact.file for artifact in run.opened} == {artifact.file for artifact in run.stage.needs}
    assert {artifact.file for artifact in run.made} == {artifact.file for artifact in run.stage.makes}
