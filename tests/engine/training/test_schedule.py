"""The published learning rates, and a curriculum that does not restart."""

import json
import os
from pathlib import Path

import pytest

from engine.training.schedule import hybrid_probability, schedule, warmup_cosine

GOLDEN = os.environ.get("ENGINE_GOLDEN")


@pytest.mark.real
@pytest.mark.skipif(not GOLDEN, reason="ENGINE_GOLDEN does not name the golden vectors")
def test_the_published_learning_rates_of_all_three_groups() -> None:
    stored = json.loads((Path(GOLDEN or "") / "lr_schedule.json").read_text())
    config, factor = stored["config"], stored["config"]["router_factor"]
    assert len(stored["points"]) > 50
    for step, _, projector, router, llm in stored["points"]:
        rates = [
            warmup_cosine(
                step,
                config["max_step"],
                config["warmup_steps"],
                config["lr"] * share,
                config["min_lr"] * share,
                config["warmup_start_lr"] * share,
            )
            for share in (1.0, factor, 1.0)
        ]
        assert rates == pytest.approx([projector, router, llm], rel=1e-9)


def test_it_rises_to_the_peak_and_falls_to_the_floor() -> None:
    rates = [warmup_cosine(step, 100, 10, 1.0, 0.1, 0.01) for step in range(101)]
    assert rates[0] == 0.01 and rates[10] == 1.0 and rates[100] == pytest.approx(0.1)
    assert rates[:11] == sorted(rates[:11]) and rates[10:] == sorted(rates[10:], reverse=True)


def test_without_warm_up_it_starts_at_the_peak() -> None:
    assert warmup_cosine(0, 10, 0, 1.0, 0.0, 0.0) == 1.0


def test_the_curriculum_goes_from_text_only_to_hybrid_once() -> None:
    shares = [hybrid_probability(step, 50) for step in range(50)]
    assert shares[0] == 0.0 and shares[-1] == 1.0 and shares == sorted(shares)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("constant", [0.25, 1.0, 1.0, 1.0]), ("linear", [0.25, 1.0, 0.5, 0.0]), ("cosine", [0.25, 1.0, 0.5, 0.0])],
)
def test_the_rate_rises_and_then_follows_its_kind(kind: str, expected: list[float]) -> None:
    factor = schedule(kind, warmup=4, steps=14)
    assert [factor(step) for step in (0, 4, 9, 14)] == pytest.approx(expected, abs=1e-12)
