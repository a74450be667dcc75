"""How much the settings of an experiment matter for a metric, by Optuna's own evaluator (PED-ANOVA).

It compares where the best tenth of the settings lies with where all of them lie, setting by setting. With few settings
that says little: below ``LEAST`` nothing is computed.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

EVALUATOR = "PED-ANOVA"
LEAST = 4  # points with a value
LOG_RATIO = 50  # largest value over smallest from which on a setting counts by its logarithm


def importances(points: Sequence[tuple[Mapping[str, Any], float]], goal: str) -> dict[str, float]:
    """Setting -> its share of the importance, the largest first; the shares sum to 1.

    ``points`` are settings, the same names in each, and the value of the metric. Empty where there are too few points
    or where all values are equal.
    """
    known = [(settings, value) for settings, value in points if math.isfinite(value)]
    if len(known) < LEAST or len({value for _, value in known}) < 2 or not known[0][0]:
        return {}
    import optuna  # here, because no other command should pay for it

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="minimize" if goal == "min" else "maximize")
    kinds = {name: _distribution([settings[name] for settings, _ in known]) for name in known[0][0]}
    for settings, value in known:
        params = {name: _value(kinds[name], settings[name]) for name in kinds}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=kinds, value=value))
    found = optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
    order = sorted(kinds, key=lambda name: -round(found[name], 9))  # equal ones as they were given
    return {name: float(found[name]) for name in order}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _distribution(values: Sequence[Any]) -> "BaseDistribution":
    """A range where all values are numbers, else a choice of texts."""
    from optuna import distributions

    if not all(_is_number(value) for value in values):
        return distributions.CategoricalDistribution(tuple(dict.fromkeys(map(repr, values))))
    low, high = min(values), max(values)
    return distributions.FloatDistribution(low, high, log=low > 0 and high >= LOG_RATIO * low)


def _value(kind: "BaseDistribution", value: Any) -> Any:
    from optuna import distributions

    return repr(value) if isinstance(kind, distributions.CategoricalDistribution) else float(value)
