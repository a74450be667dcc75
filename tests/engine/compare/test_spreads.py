"""Mean and standard deviation by setting, as a sweep prints them."""

from typing import Any

import pytest

from engine.compare.groups import Group, by_settings, member_of
from engine.compare.spreads import SettingSpreads, best, spreads, text
from engine.wire import Spread


def groups(world: Any, stage: str) -> list[Group]:
    entries = world.store.scan()
    by_id = {entry.id: entry for entry in entries}
    return by_settings([member_of(entry, by_id) for entry in entries if entry.info.stage == stage])


def row(goal: str, *means: float | None) -> SettingSpreads:
    return SettingSpreads("val_ndcg@10", "student", goal, [Spread(mean, None, 1, [mean]) for mean in means])


@pytest.mark.parametrize(
    ("goal", "means", "index"),
    [("max", (0.1, None, 0.3), 2), ("min", (0.1, None, 0.3), 0), ("", (0.1, 0.3), None), ("max", (None,), None)],
)
def test_the_best_group_follows_the_direction_of_the_metric(
    goal: str, means: tuple[float | None, ...], index: int | None
) -> None:
    assert best(row(goal, *means)) == index


def test_a_sweep_of_trainings_shows_mean_and_deviation_and_stars_the_best_on_validation_rows(world: Any) -> None:
    for seed in (1, 2):
        world.student("sweep", seed, "student.dropout=0.11", values=(0.1, 0.2 + seed / 100))
        world.student("sweep", seed, "student.dropout=0.12", values=(0.1, 0.3 + seed / 100))
    found = groups(world, "student")
    lines = text(found, spreads(found)).splitlines()
    assert lines[0].split()[:2] == ["training", "n"]
    (star,) = [line for line in lines if line.startswith("* student.dropout")]
    assert star.split()[1:4] == ["student.dropout=0.12", "2", "0.3150"] and "±0.0071" in star
    assert lines[-1] == "* best on validation rows; ± standard deviation over seeds"


def test_an_evaluation_shows_its_models_without_the_references(world: Any) -> None:
    world.evaluate("a", 1, ranks=world.ranks(1), distilled=world.ranks(1, 0.9))
    world.evaluate("a", 1, "student.dropout=0.11", ranks=world.ranks(1))
    assert {line.model for line in spreads(groups(world, "evaluate"))} == {"student", "distilled"}
