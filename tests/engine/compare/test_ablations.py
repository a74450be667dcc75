"""What a pair of groups answers, by the settings that differ."""

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from engine import config
from engine.compare.ablations import answers
from engine.compare.groups import Group
from engine.report.settings import flat
from engine.wire import ComparedMetric, GroupDifference, PairAnswer, Spread


def group(name: str, *overrides: str, without: tuple[str, ...] = ()) -> Group:
    """Three seeds of a setting; ``without``: stages that their runs do not depend on."""
    members: list[Any] = []
    for seed in (1, 2, 3):
        settings = flat(asdict(config.load([*overrides, f"seed={seed}"])))
        kept = {key: value for key, value in settings.items() if key.partition(".")[0] not in without}
        members.append(SimpleNamespace(settings=kept, seed=seed))
    return Group(name, members)


def metric(model: str, mean: float, seeds: str, rows: str, n: int = 3) -> ComparedMetric:
    """The second group minus the first one."""

    def over(kind: str, verdict: str, count: int) -> GroupDifference:
        ends = (mean - 0.002, mean + 0.003) if count > 1 else (None, None)
        return GroupDifference(0, 1, mean, 100 * mean / 0.2, *ends, 0.01, 0.02, count, kind, verdict)

    spreads = [Spread(0.2, 0.01, 3, [0.2] * 3), Spread(0.2 + mean, 0.01, 3, [0.2 + mean] * 3)]
    return ComparedMetric("ndcg@10", model, "max", spreads, [over("seeds", seeds, n), over("rows", rows, 1200)])


def asked(*pair: Group, metrics: list[ComparedMetric] | None = None, below: Any = ({}, {})) -> list[PairAnswer]:
    both = [metric(model, -0.01, "worse", "worse") for model in ("teacher", "distilled")]
    return list(answers(pair, metrics or both, below))


@pytest.mark.parametrize(
    ("control", "question", "model"),
    [
        ("no-language-model", "does the language model pay?", "teacher"),
        ("no-gate", "does the gate pay?", "teacher"),
        ("text-only", "are titles alone enough for the teacher?", "teacher"),
        ("no-ranking-distillation", "do distilled rankings pay?", "distilled"),
        ("no-embedding-distillation", "do distilled item vectors pay?", "distilled"),
        ("text-vectors", "is it the text alone?", "distilled"),
        ("self-distillation", "is it self-distillation?", "distilled"),
        ("transitions-titles", "is the knowledge of models without training enough?", "distilled"),
        ("sequential-text", "is a sequential model of the texts enough?", "distilled"),
    ],
)
def test_each_control_asks_its_question_of_any_base(control: str, question: str, model: str) -> None:
    for base in ("demo", "amazon-toys"):
        gone = ("teacher", "backbone") if control in ("self-distillation", "transitions-titles") else ()
        (found,) = asked(group("a", f"experiment={base}"), group("b", f"experiment=[{base},{control}]", without=gone))
        pays = question.startswith("do")
        assert (found.question, found.model, found.verdict) == (question, model, "yes" if pays else "no")
        words = "yes: " if pays else "no, the whole ranks above it: "
        assert found.text.startswith(f"{words}ndcg@10 of the {model} 0.2000 with it, 0.1900 without (+0.0100); ")
        assert "95 % interval over 3 seeds +0.0070 to +0.0120; 95 % interval over 1,200 rows +0.0070" in found.text


def test_slots_have_a_question_of_their_own() -> None:
    (found,) = asked(group("a"), group("b", "teacher.slots=false"))
    assert found.question == "do the slots (item vectors in the prompt) pay?"


def test_the_order_of_the_groups_changes_nothing_but_the_signs() -> None:
    own = [metric("teacher", 0.01, "better", "better")]
    (found,) = asked(group("b", "experiment=no-gate"), group("a"), metrics=own)
    assert found.verdict == "yes" and "0.2100 with it, 0.2000 without (+0.0100); " in found.text
    assert "over 3 seeds +0.0080 to +0.0130" in found.text


@pytest.mark.parametrize(
    ("seeds", "rows", "n", "verdict", "text"),
    [
        ("better", "better", 3, "no", "no, the teacher is worse with it: "),
        ("undecided", "worse", 3, "undecided", "undecided: "),
        ("worse", "undecided", 3, "undecided", "undecided: "),
        ("undecided", "worse", 1, "undecided", "one pair of seeds decides nothing"),
    ],
)
def test_only_seeds_and_rows_together_decide(seeds: str, rows: str, n: int, verdict: str, text: str) -> None:
    (found,) = asked(group("a"), group("b", "experiment=no-gate"), metrics=[metric("teacher", -0.01, seeds, rows, n)])
    assert found.verdict == verdict and text in found.text


def test_nothing_is_answered_where_other_settings_differ_too() -> None:
    (found,) = asked(group("a"), group("b", "experiment=no-gate", "student.dropout=0.11", "teacher.steps=7"))
    assert found.verdict == "undecided"
    # The distilled student's dropout is stated by the demo's distillation itself.
    assert found.text.startswith("undecided, the groups also differ in student.dropout, teacher.steps: ")


def test_a_part_without_figures_is_undecided_and_equal_groups_ask_nothing() -> None:
    (found,) = asked(group("a"), group("b", "experiment=no-gate"), metrics=[metric("student", 0.0, "worse", "worse")])
    assert found.verdict == "undecided" and "the teacher was not ranked in both groups" in found.text
    assert asked(group("a"), group("b", "student.dropout=0.11")) == []


def test_a_model_that_pays_and_stays_below_an_untrained_one_says_so() -> None:
    below = ({"teacher": "titles"}, {})
    (found,) = asked(group("a"), group("b", "experiment=no-gate"), below=below)
    assert found.verdict == "yes" and found.text.endswith("; but it ranks below titles, which needs no training.")
