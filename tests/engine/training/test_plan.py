"""What a plan says about single steps."""

import pytest

from engine.training.plan import is_reported
from tests.fixtures.training import plan


def test_the_running_mean_forgets_early_weights_soon() -> None:
    assert [plan(average=0.9).newest(step) for step in (1, 10, 100, 1000)] == pytest.approx([9 / 11, 0.45, 0.1, 0.1])


def test_the_first_step_and_every_few_are_reported() -> None:
    assert [step for step in range(1, 13) if is_reported(step, 5)] == [1, 5, 10]
