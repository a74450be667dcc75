"""Weights of a mixture chosen on validation rows, with students, models without training and a teacher."""

from collections.abc import Callable
from itertools import product
from math import comb
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine import config
from engine.data.sequences import Rows
from engine.errors import ConfigError, DataError
from engine.knowledge import mixture_weights
from engine.knowledge.mixture_weights import MIXTURES, grid, sample
from engine.metrics import ranking
from engine.runs.schema import Summary
from engine.stages import BLEND, STUDENT_MODEL, TEACHER_HELD_OUT, TRANSITIONS, VALIDATION, WEIGHTS_OPTIMISM
from tests.engine.knowledge.test_blend import log_probabilities, mixed, scored, untrained


@pytest.fixture(scope="module")
def chain(new_chain: Callable[[], Any], small_runs: Any) -> Any:
    """Data, student and backbone, a teacher and its knowledge."""
    return new_chain().copy(small_runs, "teacher", "knowledge")


@pytest.mark.parametrize(("models", "steps"), [(2, 10), (3, 10), (4, 5), (5, 3), (6, 3), (11, 2)])
def test_the_grid_holds_every_division_of_one_in_equal_steps_once(models: int, steps: int) -> None:
    found = (grid(models) * steps).round().int()
    torch.testing.assert_close(grid(models), found.float() / steps)
    expected = {one for one in product(range(steps + 1), repeat=models) if sum(one) == steps} if models < 7 else None
    assert len(found) == comb(steps + models - 1, models - 1) <= MIXTURES
    assert expected is None or {tuple(row) for row in found.tolist()} == expected


def tenths(parts: list[torch.Tensor], rows: Rows) -> list[float]:
    """NDCG@10 of the first of two models' log-probabilities [R, n + 1] at weights 0, .1 .. 1, in loops."""
    found = []
    for tenth in range(11):
        weights = tenth / 10, 1 - tenth / 10
        total = 0.0
        for r in range(len(rows)):
            hidden = set(rows.items[rows.start[r] : rows.stop[r]].tolist())
            shown = [i for i in range(1, parts[0].shape[1]) if i not in hidden]
            scores = {i: sum(w * float(part[r, i]) for w, part in zip(weights, parts, strict=True)) for i in shown}
            target = int(rows.targets[r])
            if target in scores:
                rank = 1 + sum(scores[i] > scores[target] for i in shown)
                total += 1 / np.log2(rank + 1) if rank <= 10 else 0.0
        found.append(total / len(rows))
    return found


def test_the_weights_of_a_student_and_a_model_without_training_are_the_best_of_a_slow_loop(chain: Any) -> None:
    folder = mixed(chain, "chosen", f"student,{TRANSITIONS}", "knowledge.choose_weights=true")
    rows = Rows.load(chain.made("data", VALIDATION))
    parts = [log_probabilities(chain.made("student", STUDENT_MODEL), rows), untrained(chain, TRANSITIONS, rows)]
    values = tenths(parts, rows)
    summary = Summary.read(folder)
    assert summary is not None
    got = summary.facts["models"]
    index = round(10 * got["student"])
    assert values[index] == pytest.approx(max(values), abs=1e-6)
    assert got["student"] + got[TRANSITIONS] == pytest.approx(1)
    assert summary.best["val_ndcg@10"]["v"] == pytest.approx(max(values), abs=1e-6)
    assert summary.facts["ndcg_alone"] == pytest.approx({"student": values[10], TRANSITIONS: values[0]}, abs=1e-6)
    assert summary.facts["weights_chosen_on"] == len(rows)
    assert WEIGHTS_OPTIMISM in summary.facts
    assert len(set(values)) > 3, "equally good mixtures would show nothing"


def test_a_teacher_is_weighed_with_the_others_and_its_answers_are_scored_by_the_weights(chain: Any) -> None:
    folder = mixed(chain, "teacher-chosen", f"teacher,{BLEND},{TRANSITIONS}", "knowledge.choose_weights=true")
    rows = Rows.load(chain.made("data", VALIDATION))
    held = {key: value.double() for key, value in load_file(chain.made("knowledge", TEACHER_HELD_OUT)).items()}
    alone = torch.log_softmax(ranking.score_items(held["validation"], held["table"], held.get("bias")), dim=1)
    summary = Summary.read(folder)
    assert summary is not None
    weights = summary.facts["models"]
    assert list(weights) == ["teacher", BLEND, TRANSITIONS] and sum(weights.values()) == pytest.approx(1)
    parts = {"teacher": alone, BLEND: untrained(chain, BLEND, rows), TRANSITIONS: untrained(chain, TRANSITIONS, rows)}
    whole = sum(weights[name] * part[:, 1:] for name, part in parts.items())
    expected = torch.log_softmax(whole, dim=1)
    torch.testing.assert_close(scored(chain, "teacher-chosen", rows)[:, 1:], expected, rtol=1e-3, atol=1e-3)
    assert summary.best["val_ndcg@10"]["v"] >= max(summary.facts["ndcg_alone"].values()) - 1e-6
    asked = Summary.read(chain.runs / "knowledge")
    assert asked is not None
    assert summary.facts["ndcg_alone"]["teacher"] == pytest.approx(asked.best["val_ndcg@10"]["v"], abs=1e-6)


def test_a_model_of_weight_nothing_is_left_out(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture_weights, "grid", lambda models: torch.tensor([[0.0, 1.0]]))
    for name, models in (("first", f"student,{BLEND}"), ("second", f"{BLEND},student")):
        mixed(chain, name, models, "knowledge.choose_weights=true", "knowledge.item_vectors=titles")
    untaught = load_file(chain.made("first", TEACHER_HELD_OUT))
    assert untaught["table"].shape[1] == 0 and f"untrained/{BLEND}" in untaught
    taught = load_file(chain.made("second", TEACHER_HELD_OUT))
    assert taught["table"].shape[1] and f"untrained/{BLEND}" not in taught


def test_rows_without_a_history_choose_nothing_and_a_few_of_many_do() -> None:
    start = np.arange(10_000, dtype=np.int64)
    stop = np.where(start % 2, start + 1, start)
    rows = Rows(np.ones(10_001, dtype=np.int32), start, stop, start)
    chosen = sample(rows, seed=1)
    assert len(chosen) == mixture_weights.ROWS and (np.diff(chosen.users) > 0).all() and (chosen.users % 2).all()
    assert not np.array_equal(chosen.users, sample(rows, seed=2).users)
    with pytest.raises(DataError, match="no validation row has a history"):
        sample(rows.some(np.arange(0, 10, 2)), seed=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["knowledge.models=[student]"], "2 to 11 models"),
        (["knowledge.models=[student,transitions]", "knowledge.weights=[1,1]"], "must be null"),
    ],
)
def test_weights_cannot_be_both_given_and_chosen_nor_chosen_for_one_model(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load([*settings, "knowledge.choose_weights=true"])
