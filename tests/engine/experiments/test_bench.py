"""The speed of each stage: what is counted, and that a person's own settings win."""

import json
from pathlib import Path

import pytest

from engine import config
from engine.experiments import bench

SMALL = ["data.world.users=60", "data.world.series=20", "student.hidden=16", "student.max_length=20"]


def measured(folder: Path, *words: str) -> bench.Speed:
    loaded = config.load(bench.shortened([*SMALL, *words]))
    (speed,) = bench.speeds("student", loaded, folder, "cpu", lambda name: None)
    return speed


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bench.Speed]:
    """A training of one epoch, and the folder of its runs."""
    folder = tmp_path_factory.mktemp("once")
    return folder, measured(folder, "student.epochs=1", "student.windows=last")


def test_twice_the_epochs_are_twice_the_positions_and_more_operations(
    once: tuple[Path, bench.Speed], tmp_path: Path
) -> None:
    short, twice = once[1], measured(tmp_path, "student.epochs=2", "student.windows=last")
    assert twice.done == 2 * short.done > 0
    assert 1.2 * short.operations < twice.operations < 2 * short.operations  # both evaluate once


def test_a_step_counts_at_least_the_products_with_the_item_table(once: tuple[Path, bench.Speed]) -> None:
    folder, speed = once
    items = json.loads(next(folder.glob("data-*/artifacts/profile.json")).read_text())["items"]
    assert speed.operations >= 6 * speed.done * items * 16  # scores, and the gradients of both of their factors
    assert speed.floor is not None and 0 < speed.floor < speed.seconds


def test_what_a_person_asks_for_comes_after_the_short_course() -> None:
    words = bench.shortened(["student.epochs=7"])
    assert config.load(words).student.epochs == 7
    assert not any(word.startswith("student.epochs=2") for word in words)


def test_the_short_course_asks_nothing_of_a_section_that_a_choice_does_not_have(tmp_path: Path) -> None:
    words = bench.shortened(["backbone=path", f"backbone.name={tmp_path}"])
    assert config.load(words).backbone.scratch is None
