"""Checks of teachers that name one of the candidates in their prompt: what their HR@1 is worth."""

from math import hypot

from engine.doctor.case import Case
from engine.doctor.check import WARN, Outcome, Unavailable, check, judged
from engine.metrics.statistics import hit_interval
from engine.runs.schema import Summary
from engine.stages import CANDIDATE_HR, TRAIN_TOKENS
from engine.teacher.objectives.generate import CANDIDATE_POPULARITY, CANDIDATE_ROWS, CANDIDATE_STUDENT


@check(
    "candidate-controls",
    "teacher",
    detects="a teacher that names the target among candidates no more often than popularity or the student does",
    cause="the language model has learned how titles are written and not what users choose: too few prompts were "
    "trained on, or it is too small; a gain over few rows cannot be told from chance either",
    remedy="As it is, the student alone recommends as well. More prompts (teacher.steps, teacher.epochs), a stronger "
    "backbone, or teacher=rank, which starts as the student; more validation rows (teacher.evaluate_rows) tell small "
    "gains.",
)
def candidate_controls(case: Case) -> Outcome:
    """HR@1 is surely above those of popularity and of the student among the same candidates of the same rows."""
    summary = Summary.read(case.trained("teacher"))
    facts, kept = (summary.facts, summary.kept) if summary else ({}, {})
    if CANDIDATE_HR.name not in kept or CANDIDATE_ROWS not in facts:
        raise Unavailable("this teacher was trained with no candidates in its prompts")
    rows, own = int(facts[CANDIDATE_ROWS]), float(kept[CANDIDATE_HR.name])
    controls = {"popularity": float(facts[CANDIDATE_POPULARITY]), "student": float(facts[CANDIDATE_STUDENT])}
    best = max(controls, key=lambda name: controls[name])
    low = least_gain(controls[best], own, rows)
    shown = ", ".join(f"{name} {value:.3f}" for name, value in controls.items())
    evidence = (
        f"HR@1 among the candidates of {rows:,} validation rows {own:.3f}, {shown}; at least {low:+.3f} over {best}"
    )
    tokens = facts.get(TRAIN_TOKENS)
    return judged(low > 0, evidence + (f"; trained on {tokens:,} tokens" if tokens else ""), WARN)


def least_gain(base: float, own: float, rows: int) -> float:
    """Lower end of the 95 % interval of ``own - base``, two shares of the same rows taken for independent ones.

    Newcombe 1998, method 10, of Clopper's and Pearson's intervals. Both models meet the same easy rows, so the
    interval is rather too wide.
    """
    reached, above = hit_interval(round(own * rows), rows)[0], hit_interval(round(base * rows), rows)[1]
    return own - base - hypot(own - reached, above - base)
