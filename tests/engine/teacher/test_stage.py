"""What the stage says when a machine is too small. The whole stage runs in tests/engine/knowledge/test_stage.py."""

from dataclasses import replace

from engine.config import load
from engine.teacher.stage import _too_large


def test_out_of_memory_names_the_split_to_try() -> None:
    settings = replace(load([]).teacher, batch=16, accumulate=2)
    error = _too_large(settings)
    assert "8 prompts" in error.cause and "teacher.accumulate=4 computes 4 prompts" in error.remedy


def test_a_step_that_cannot_be_split_names_the_other_ways() -> None:
    error = _too_large(replace(load([]).teacher, batch=1, accumulate=1))
    assert "accumulate" not in error.remedy and "checkpointing" in error.remedy
