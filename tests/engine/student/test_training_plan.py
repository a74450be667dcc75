"""What the student and distill stages share."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from engine.config.settings.student import StudentSettings
from engine.data.sequences import Rows, Sequences
from engine.errors import DataError
from engine.runs.run import Run
from engine.stages import PROFILE, VALIDATION
from engine.student.training_plan import load_inputs, plan_of, sampler_of


def test_epochs_are_counted_in_steps(settings: Callable[..., StudentSettings]) -> None:
    plan = plan_of(settings(epochs=5, evaluate_every=2, warmup=3, schedule="linear", patience=4, clip=1.5), 7)
    assert (plan.steps, plan.per_epoch, plan.evaluate_every) == (35, 7, 14)
    assert (plan.patience, plan.clip, plan.metric) == (4, 1.5, "val_ndcg@10")
    assert plan.uniform is None
    assert plan.rate(0) == pytest.approx(1 / 3) and plan.rate(35) == 0.0


@pytest.mark.parametrize(("loss", "known"), [("cross-entropy", True), ("bce", False)])
def test_the_loss_of_equal_scores_is_known_of_cross_entropy_alone(
    settings: Callable[..., StudentSettings], loss: str, known: bool
) -> None:
    plan = plan_of(settings(loss=loss, negatives=1), 7, 50, "base")
    assert plan.uniform == (("base", pytest.approx(np.log(50))) if known else None)


def test_a_cpu_gets_ragged_batches_of_the_settings_size(
    settings: Callable[..., StudentSettings], counting_sequences: Callable[..., Sequences]
) -> None:
    sampler = sampler_of(settings(batch=9, max_length=6, seed=4), counting_sequences(), "cpu")
    assert (sampler.size, sampler.length, sampler.seed, sampler.same_shapes, sampler.world) == (9, 6, 4, False, 1)
    assert not sampler.last_position


def test_without_validation_rows_the_remedy_is_another_split(student_run: Callable[..., Run]) -> None:
    run = student_run()
    assert json.loads(run.input(PROFILE).read_text())["items"] == load_inputs(run)[0]
    empty = np.zeros(0, dtype=np.int64)
    Rows(np.zeros(0, dtype=np.int32), empty, empty, empty).save(run.input(VALIDATION))
    with pytest.raises(DataError, match=r"(?s)no validation rows.*data.split"):
        load_inputs(run)
