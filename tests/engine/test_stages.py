"""The table of stages against what the stages do on a small world."""

from pathlib import Path
from typing import Any

import pytest

from engine.stages import STAGES

MODELS = "evaluate.models=[popularity,titles,oracle,student,student-refit,teacher,distilled,distilled-refit]"
AGAIN = ["student.refit=true"]
EVERYTHING = {  # what small runs leave out: second trainings, oracle, ranking of candidates, choice of the baseline
    "student": AGAIN,
    "knowledge": [*AGAIN, "knowledge.models=[student,transitions]"],  # without a teacher
    "evaluate": [*AGAIN, MODELS, "evaluate.candidates=4"],
    "distill": [*AGAIN, "distill.choose=better"],  # so short a training is no better than the baseline
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_opens_and_makes_exactly_what_the_table_declares(small_runs: Any, stage: str, tmp_path: Path) -> None:
    runs = [small_runs.used[stage]]
    if stage in EVERYTHING:
        chain = type(small_runs)(tmp_path).copy(small_runs, *(name for name in STAGES if name != stage))
        inputs = dict[str, str]()
        for one in ("student", "knowledge", "distill"):
            if one in STAGES[stage].inputs and stage != "knowledge":
                chain.perform(one, f"{one}-again", EVERYTHING[one], inputs)
                inputs |= {one: f"{one}-again"}
        chain.perform(stage, overrides=EVERYTHING[stage], inputs=inputs)
        runs.append(chain.used[stage])
    assert set.union(*(run.opened for run in runs)) == set(STAGES[stage].needs)
    assert set.union(*(run.made for run in runs)) == set(STAGES[stage].makes)
