"""What is paired with what, and how often chance is taken for a difference."""

from pathlib import Path

import numpy as np
import pytest

from engine.compare.differences import Procedure, Sampling, Uncorrected, common_seeds, compare, decided
from engine.compare.figures import Figure
from engine.compare.groups import Group, Member
from engine.jobs.state import State, Status
from engine.jobs.store import Entry
from engine.metrics.statistics import PairedDifference
from engine.runs.schema import RunInfo

SAMPLING = Sampling(100, 1)


def group(name: str, seeds: list[int]) -> Group:
    """Runs with these seeds, of which only the seed matters."""
    members = []
    for index, seed in enumerate(seeds):
        info = RunInfo(f"{name}-{index}", "student", name, seed, "0")
        members.append(Member(Entry(Path(), info, Status(State.DONE)), [], []))
    return Group(name, members)


def test_a_seed_that_stands_twice_pairs_with_nothing() -> None:
    assert common_seeds(group("a", [1, 2, 2, 3]), group("b", [3, 2, 1])) == [(0, 2), (3, 0)]


def test_runs_are_paired_by_their_seed_wherever_they_stand() -> None:
    figure = Figure("val_ndcg@10", None, "max", [[0.1, 0.2, 0.3], [0.31, 0.11, 0.21]], tested=True)
    ((found,),) = compare([group("a", [1, 2, 3]), group("b", [3, 1, 2])], [figure], None, [], SAMPLING)
    assert np.isclose(found.mean, 0.01)
    assert found.p < 1e-6  # equal differences; by place they would scatter


def test_a_metric_whose_goal_is_small_is_better_when_it_falls() -> None:
    figure = Figure("val_loss", None, "min", [[3.0, 3.1, 3.2], [2.0, 2.11, 2.19]], tested=True)
    ((found,),) = compare([group("a", [1, 2, 3]), group("b", [1, 2, 3])], [figure], None, [], SAMPLING)
    assert (found.verdict, found.mean < 0) == ("better", True)


def test_what_is_not_asked_is_not_tested() -> None:
    figure = Figure("loss", None, "min", [[3.0, 3.1], [2.0, 2.1]], tested=False)
    assert compare([group("a", [1, 2]), group("b", [1, 2])], [figure], None, [], SAMPLING) == [[]]


def test_seeds_of_a_thousand_null_comparisons_with_three_metrics_are_called_different_in_one_of_twenty_at_most() -> (
    None
):
    """Holm holds the share of comparisons in which any metric is called different, whatever they have in common."""
    draw = np.random.default_rng(77)
    groups = [group("a", [1, 2, 3, 4, 5]), group("b", [1, 2, 3, 4, 5])]
    wrong = {0.0: 0, 0.95: 0}
    for alike in wrong:
        for _ in range(1000):
            shared, own = draw.normal(size=(2, 1, 5)), draw.normal(size=(2, 3, 5))
            values = np.sqrt(alike) * shared + np.sqrt(1 - alike) * own  # [side, metric, seed]
            figures = [
                Figure(f"metric {k}", "student", "max", [values[0, k].tolist(), values[1, k].tolist()], tested=True)
                for k in range(3)
            ]
            found = compare(groups, figures, None, [], SAMPLING)
            wrong[alike] += any(one.verdict != "undecided" for own in found for one in own)
    assert 0.035 <= wrong[0.0] / 1000 <= 0.065
    assert 0.01 <= wrong[0.95] / 1000 <= 0.05  # alike metrics make the correction stricter than need be


def test_the_verdict_follows_the_p_of_the_chosen_correction() -> None:
    raw = [
        [Uncorrected(0, 1, PairedDifference(0.1, 0.01, 0.2, p, 9, "rows"), 1.0, "max", "wilcoxon")]
        for p in (0.03, 0.04, 0.045)
    ]
    for correction, expected, verdict in (("holm", 0.09, "undecided"), ("bh", 0.045, "better")):
        found = decided([None] * 3, raw, Procedure(correction=correction))
        assert [one.p_corrected for (one,) in found] == pytest.approx([expected] * 3)
        assert {(one.verdict, one.test, one.correction) for (one,) in found} == {(verdict, "wilcoxon", correction)}
