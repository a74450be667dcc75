"""What a plan with a teacher refuses, before anything is trained."""

import pytest

from engine.config import load
from engine.errors import ConfigError
from engine.experiments.plan import pipeline

GENERATED = ["teacher=generate", "knowledge.item_vectors=text"]
ENCODER = ["backbone=sentence-encoder", "backbone.text_model=DIR"]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("backbone.text_model=DIR", "text_model"),
        ("backbone.whiten=true", "whiten"),
        ("backbone.dimension=8", "dimension"),
    ],
)
def test_a_teacher_that_generates_titles_refuses_vectors_that_it_cannot_make_itself(word: str, name: str) -> None:
    assert "teacher" in [stage.name for stage in pipeline("teacher", load(["teacher=generate"]))]
    assert "teacher" in [stage.name for stage in pipeline("teacher", load(["teacher=rank", word]))]
    with pytest.raises(ConfigError, match="of its own language model") as error:
        pipeline("teacher", load(["teacher=generate", word]))
    assert error.value.location == f"backbone.{name}" and f"backbone.{name}=" in error.value.remedy


def test_a_teacher_needs_a_language_model_and_a_text_control_none() -> None:
    with pytest.raises(ConfigError, match="this backbone has none") as error:
        pipeline("evaluate", load(["experiment=demo", *ENCODER]))
    assert "backbone.text_model=DIR" in error.value.remedy and "text-vectors" in error.value.remedy
    for control in ("text-vectors", "sequential-text"):
        planned = [stage.name for stage in pipeline("evaluate", load([f"experiment={control}", *ENCODER]))]
        assert planned == ["data", "student", "backbone", "knowledge", "distill", "evaluate"]
