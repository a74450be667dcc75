"""What a pair of groups answers: which part one of them lacks, by the settings that differ, and whether it pays."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.compare.differences import ROWS, SEEDS
from engine.compare.figures import TESTED
from engine.compare.groups import Group, differing, pairs, sections
from engine.compare.sentences import UNCERTAIN, agreed
from engine.report.numbers import fixed, interval
from engine.stages import DISTILLED, TEACHER, UNTRAINED
from engine.wire import ComparedMetric, GroupDifference, PairAnswer

YES, NO = "yes", "no"
FREE = ("evaluate.models",)  # may differ between any two groups

Values = Mapping[str, Any]


@dataclass(frozen=True)
class _Ablation:
    """``lacks``: whether a group with these settings is without the part; that group is the question's control.

    ``settings`` are read by ``lacks``; ``along`` may differ with them.
    """

    text: str
    model: str
    settings: tuple[str, ...]
    lacks: Callable[[Values], bool]
    along: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()  # beginnings of names that may differ with them too
    control: bool = False  # it asks whether the control is as good, not whether the part pays

    @property
    def about(self) -> set[str]:
        """Settings that may differ between the two groups of this question."""
        return {*self.settings, *self.along, *([CHOOSE] if self.model == DISTILLED else [])}


CHOOSE = "distill.choose"  # a control states its weights, and lets validation rows choose none
RANKINGS = ("distill.ranking.weight", "distill.kl.weight", "distill.last_position")
VECTORS = "distill.injection.weight"
KNOWLEDGE = (
    *("knowledge.models", "knowledge.item_vectors", "knowledge.last_position"),
    *("knowledge.query_selection", "knowledge.budget", "knowledge.weights", "knowledge.choose_weights"),
)


def _none(*names: str) -> Callable[[Values], bool]:
    """Whether all these weights are 0."""
    return lambda values: all(values[name] == 0 for name in names)


def _is(name: str, value: Any) -> Callable[[Values], bool]:
    return lambda values: bool(values[name] == value)


def _text_alone(values: Values) -> bool:
    return bool(values["knowledge.item_vectors"] == "text" and _none(*RANKINGS)(values) and values[VECTORS] != 0)


def _self_distilled(values: Values) -> bool:
    return bool(values["knowledge.models"] == ["student"] and values["knowledge.item_vectors"] != "text")


def _counts_alone(values: Values) -> bool:
    return set(values["knowledge.models"]) <= set(UNTRAINED)


def _titles_alone(values: Values) -> bool:
    return values["teacher.slots"] is False and values["teacher.rank.student_weights"] == [0.0]


# A question covers those after it that are about no other settings.
ABLATIONS = (
    _Ablation(
        "is a sequential model of the texts enough?",
        DISTILLED,
        ("distill.own_vectors",),
        _is("distill.own_vectors", False),
        (*KNOWLEDGE, *RANKINGS, VECTORS),
        sections=("distill.student.", "distill.own_"),  # texts alone want other settings than ids
        control=True,
    ),
    _Ablation(
        "is it the text alone?",
        DISTILLED,
        ("knowledge.item_vectors", *RANKINGS, VECTORS),
        _text_alone,
        KNOWLEDGE,
        control=True,
    ),
    _Ablation(
        "is it self-distillation?",
        DISTILLED,
        ("knowledge.models", "knowledge.item_vectors"),
        _self_distilled,
        (*KNOWLEDGE, VECTORS),
        control=True,
    ),
    _Ablation(
        "is the knowledge of models without training enough?",
        DISTILLED,
        ("knowledge.models",),
        _counts_alone,
        (*KNOWLEDGE, *RANKINGS, VECTORS),
        sections=("distill.student.", "distill.kl."),  # other knowledge wants other weights
        control=True,
    ),
    _Ablation("does distillation pay?", DISTILLED, (*RANKINGS, VECTORS), _none(*RANKINGS, VECTORS)),
    _Ablation("do distilled rankings pay?", DISTILLED, RANKINGS, _none(*RANKINGS)),
    _Ablation("do distilled item vectors pay?", DISTILLED, (VECTORS,), _none(VECTORS)),
    _Ablation(
        "are titles alone enough for the teacher?",
        TEACHER,
        ("teacher.slots", "teacher.rank.student_weights"),
        _titles_alone,
        ("teacher.gate.kind",),
        control=True,
    ),
    _Ablation(
        "does the language model pay?",
        TEACHER,
        ("teacher.rank.states",),
        _is("teacher.rank.states", False),
        ("teacher.steps", "teacher.epochs", "teacher.learning_rate", "teacher.evaluations"),
    ),
    _Ablation("does the gate pay?", TEACHER, ("teacher.gate.kind",), _is("teacher.gate.kind", "uniform")),
    _Ablation(
        "do the slots (item vectors in the prompt) pay?", TEACHER, ("teacher.slots",), _is("teacher.slots", False)
    ),
    _Ablation(
        "do the student's scores in the teacher pay?",
        TEACHER,
        ("teacher.rank.student_weights",),
        _is("teacher.rank.student_weights", [0.0]),
    ),
)


def answers(
    groups: Sequence[Group], metrics: Sequence[ComparedMetric], below: Sequence[Mapping[str, str]]
) -> Iterator[PairAnswer]:
    """The questions that each group answers against the first one; ``below`` of each group as in ``sentences``."""
    for base, other in pairs(groups):
        sides = groups[base], groups[other]
        known = sections(sides[0]) & sections(sides[1])
        changed = {
            name
            for name in differing([member for group in sides for member in group.members])
            if name.partition(".")[0] in known
        } - {*FREE}
        asked = list(_asked(sides, changed))
        for ablation, lacking in asked:
            without, whole = (base, other) if lacking == 0 else (other, base)
            others = sorted(name for name in changed - ablation.about if not name.startswith(ablation.sections))
            yield _answer(ablation, whole, without, other, metrics, others, below)


def _asked(sides: tuple[Group, Group], changed: set[str]) -> Iterator[tuple[_Ablation, int]]:
    """The questions about these groups, and which of the two lacks the part."""
    covered: set[str] = set()
    for ablation in ABLATIONS:
        if not changed.intersection(ablation.settings) or ablation.about <= covered:
            continue
        values = [{name: group.value(name) for name in ablation.settings} for group in sides]
        if any(None in own.values() for own in values):  # a group without this stage
            continue
        lacks = [ablation.lacks(own) for own in values]
        if lacks[0] != lacks[1]:
            covered |= ablation.about
            yield ablation, 0 if lacks[0] else 1


def _answer(
    ablation: _Ablation,
    whole: int,
    without: int,
    other: int,
    metrics: Sequence[ComparedMetric],
    others: Sequence[str],
    below: Sequence[Mapping[str, str]],
) -> PairAnswer:
    found = next((one for one in metrics if (one.model, one.metric) == (ablation.model, TESTED[0])), None)
    kinds = {one.over: one for one in found.differences if one.other == other} if found else {}
    if found is None or not kinds:
        reason = f"the {ablation.model} was not ranked in both groups, or is the same in both (evaluate.models)"
        return PairAnswer(ablation.text, other, ablation.model, UNCERTAIN, f"{UNCERTAIN}: {reason}.")
    verdict = agreed(kinds.get(SEEDS), kinds.get(ROWS))
    if verdict != UNCERTAIN and whole != other:  # the tests are about the group that is not the first
        verdict = {"better": "worse", "worse": "better"}[verdict]
    figure = _figure(found, kinds, whole, without, other)
    if others:
        names = ", ".join(others[:4]) + (f" and {len(others) - 4} more" if len(others) > 4 else "")
        return PairAnswer(
            ablation.text,
            other,
            ablation.model,
            UNCERTAIN,
            f"{UNCERTAIN}, the groups also differ in {names}: {figure}.",
        )
    if verdict == UNCERTAIN:
        answer, words = UNCERTAIN, UNCERTAIN
    elif ablation.control:
        answer = NO if verdict == "better" else YES
        words = "no, the whole ranks above it" if answer == NO else "yes, it ranks above the whole"
    else:
        answer = YES if verdict == "better" else NO
        words = "yes" if answer == YES else f"no, the {ablation.model} is worse with it"
    least = below[whole].get(ablation.model) if below else None
    more = f"; but it ranks below {least}, which needs no training" if least else ""
    return PairAnswer(ablation.text, other, ablation.model, answer, f"{words}: {figure}{more}.")


def _figure(metric: ComparedMetric, kinds: Mapping[str, GroupDifference], whole: int, without: int, other: int) -> str:
    """Means of both sides, and the difference that the part makes with its intervals."""
    sign = 1 if whole == other else -1
    means = [fixed(metric.groups[group].mean) for group in (whole, without)]
    first = kinds.get(SEEDS) or kinds[ROWS]
    parts = [f"{metric.metric} of the {metric.model} {means[0]} with it, {means[1]} without ({sign * first.mean:+.4f})"]
    for one in kinds.values():
        if one.low is not None and one.high is not None:
            low, high = (one.low, one.high) if sign > 0 else (-one.high, -one.low)
            parts.append(f"95 % interval over {one.n:,} {one.over} {interval(low, high)}")
        elif one.over == SEEDS:
            parts.append("one pair of seeds decides nothing" if one.n == 1 else "no seed is shared")
    return "; ".join(parts)
