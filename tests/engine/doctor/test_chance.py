"""The loss of guessing, against losses of random scores."""

import pytest
import torch

from engine import config
from engine.doctor.chance import student_chance
from engine.student import losses

ITEMS, POSITIONS = 60, 4000


@pytest.mark.parametrize("spread", [0.0, 1.5, 3.0])
@pytest.mark.parametrize(
    ("loss", "negatives", "calibration"),
    [("cross-entropy", None, None), ("sampled-softmax", 20, None), ("bce", 4, None), ("gbce", 16, 0.75)],
)
def test_chance_is_the_loss_of_scores_that_are_drawn(
    spread: float, loss: str, negatives: int | None, calibration: float | None
) -> None:
    overrides = [f"student.loss={loss}", f"student.negatives={negatives or 'null'}"]
    student = config.load([*overrides, f"student.calibration={calibration or 'null'}"]).student
    expected, _ = student_chance(student, ITEMS, spread)
    draw = torch.Generator().manual_seed(0)
    count = negatives or ITEMS - 1
    positive = spread * torch.randn(POSITIONS, generator=draw)
    negative = spread * torch.randn(POSITIONS, count, generator=draw)
    if negatives is None or loss == "sampled-softmax":
        found = losses.sampled_softmax(positive, negative)
    else:
        t = calibration or 0.0
        prior = losses.prior_log_odds(negatives, ITEMS, t)
        found = losses.gbce(positive + prior, negative + prior, ITEMS, t)
    share = float(found) / POSITIONS / expected
    # Of a softmax it is an upper bound: the mean of few exponentials is mostly below its expectation.
    assert share == pytest.approx(1.0, rel=0.05 if "bce" in loss or spread < 2 else 0.4)
    assert share < 1.05
