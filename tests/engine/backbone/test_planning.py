"""What a plan says of a backbone before it is made."""

from pathlib import Path

import pytest

from engine import config
from engine.experiments.plan import plan
from engine.jobs.store import Store

TEXT_CONTROL = ["experiment=[demo,text-vectors]"]
UNUSED = "no stage here uses its language model (backbone.source=scratch): backbone=sentence-encoder makes"


def reason(target: str, overrides: list[str], folder: Path) -> str:
    """Why the plan for ``target`` runs the backbone."""
    steps = plan(target, config.load(overrides), Store(folder))
    return next(step.why for step in steps if step.stage.name == "backbone")


def test_a_language_model_that_is_made_for_nothing_is_named_with_what_makes_it_needless(tmp_path: Path) -> None:
    assert UNUSED in reason("distill", [*TEXT_CONTROL, "backbone.text_model=DIR"], tmp_path)


@pytest.mark.parametrize(
    ("target", "overrides"),
    [
        pytest.param("distill", TEXT_CONTROL, id="it reads the texts itself"),
        pytest.param("teacher", ["experiment=demo", "backbone.text_model=DIR"], id="a teacher uses it"),
        pytest.param("distill", [*TEXT_CONTROL, "backbone=sentence-encoder"], id="there is none"),
        pytest.param("backbone", ["backbone.text_model=DIR"], id="it is what was asked for"),
    ],
)
def test_a_language_model_that_is_used_is_not_remarked_on(target: str, overrides: list[str], tmp_path: Path) -> None:
    assert reason(target, overrides, tmp_path) == "no backbone run yet"
