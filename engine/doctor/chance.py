"""The loss of a model that knows nothing, by stage and loss."""

import math

import numpy as np

from engine.config.settings.student import StudentSettings
from engine.doctor.case import Case
from engine.doctor.check import Unavailable
from engine.stages import ADAPTER, DISTILLED_MODEL, LANGUAGE_MODEL, STUDENT_MODEL, makes
from engine.student.losses import chance_loss, positive_weight, prior_log_odds

# Largest ratio of the initial cross-entropy to that of uniform guessing. A distilled student starts with its teacher's
# vectors in its table: its first scores are larger.
FAR = {"student": 2.0, "backbone": 2.0, "teacher": 2.0, "distill": 4.0}

# Least ratio of the largest score to that of a sure prediction. On the demo's 1,800 items validation NDCG@10 is .157 at
# temperature .1 (1.33), .128 at .2 (.67), .106 at .3 (.44) and .066 at .848 (.16).
FLAT = 0.5


def student_of(case: Case, stage: str) -> StudentSettings | None:
    """The student that a stage trains, if it trains one."""
    if makes(stage, STUDENT_MODEL):
        return case.config.student
    return case.config.distill.student if makes(stage, DISTILLED_MODEL) else None


def reach(student: StudentSettings, items: int) -> float:
    """The largest score over ln n, which is that of an item with probability 1 where the others score 0 on average.

    The best score of an item with probability p is ln(n p), up to a constant. Normalised vectors score at most
    1 / temperature.
    """
    return 1 / (student.temperature * math.log(max(items, 2))) if student.normalise else math.inf


def chance_of(case: Case, stage: str) -> tuple[float, str]:
    """The loss of uniform guessing, and its formula."""
    config = case.config
    if makes(stage, LANGUAGE_MODEL):
        tokens = int(case.trainable(stage).module.model.config.vocab_size)
        return chance_loss(tokens), f"ln {tokens} tokens"
    if makes(stage, ADAPTER):
        if config.teacher.objective != "rank":
            raise Unavailable("a teacher that generates titles starts from what its language model has learned")
        return chance_loss(case.items), f"ln {case.items} items"
    if makes(stage, DISTILLED_MODEL) and config.distill.as_released:
        return math.log(2), "ln 2: one item against one negative"
    student = student_of(case, stage)
    assert student is not None
    return student_chance(student, case.items)


def largest_of(case: Case, stage: str) -> float:
    """The loss above which the first scores are too large.

    Of a cross-entropy ``FAR`` times chance. Normal scores of standard deviation t reach ln n + t^2 / 2: that t and that
    of random directions at a low temperature, bound the other losses of a student too. A teacher's vectors may have a
    direction in common, so that all scores of a distilled student are as large.
    """
    student = student_of(case, stage)
    if student is None:
        return FAR[stage] * chance_of(case, stage)[0]
    distils = makes(stage, DISTILLED_MODEL)
    far = math.sqrt(2 * (FAR[stage] - 1) * math.log(case.items))
    cosine = 1 / student.temperature if student.normalise else 0.0
    spread, mean = math.hypot(far, cosine / math.sqrt(student.hidden)), max(far, cosine) if distils else 0.0
    if distils and case.config.distill.as_released:
        return _softplus(mean, spread)
    largest = student_chance(student, case.items, spread, mean)[0]
    # A state of length sqrt D resembles the vector just read, of length weight sqrt D: that item's score is large.
    return largest + (case.config.distill.injection.weight * student.hidden if distils else 0.0)


def student_chance(student: StudentSettings, items: int, spread: float = 0.0, mean: float = 0.0) -> tuple[float, str]:
    """The loss of scores that are normal with the standard deviation ``spread``, drawn ones with ``mean``."""
    if student.loss == "cross-entropy":
        return chance_loss(items) + spread**2 / 2, f"ln {items} items"
    drawn = student.negatives or 1
    if student.loss == "sampled-softmax":
        return chance_loss(drawn + 1) + spread**2 / 2, f"ln of the target and {drawn} negatives"
    t = (student.calibration or 0.0) if student.loss == "gbce" else 0.0
    beta, prior = positive_weight(drawn, items, t), prior_log_odds(drawn, items, t)
    loss = beta * _softplus(-prior, spread) + drawn * _softplus(prior + mean, spread)
    return loss, f"binary cross-entropy of the target (weight {beta:.2f}) and {drawn} negatives at their prior"


def _softplus(mean: float, spread: float) -> float:
    """The expectation of log(1 + e^x) for normal x, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    return float((np.logaddexp(0.0, mean + spread * nodes) * weights).sum() / weights.sum())
