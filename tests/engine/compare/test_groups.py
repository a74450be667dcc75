"""Which runs a word stands for."""

from typing import Any

import pytest

from engine.compare.groups import Group, resolve
from engine.errors import UserError


def shape(groups: list[Group]) -> list[tuple[str, str, list[int]]]:
    return [(group.name, group.members[0].entry.info.stage, group.seeds) for group in groups]


def test_a_label_stands_for_its_evaluations_in_order_of_their_seeds(seeds: Any) -> None:
    found = shape(resolve(["drop0.4", "drop0.2"], seeds.store))
    assert found == [("drop0.4", "evaluate", [1, 2, 3]), ("drop0.2", "evaluate", [1, 2, 3])]


def test_a_stage_may_be_asked_for(seeds: Any) -> None:
    assert {stage for _, stage, _ in shape(resolve(["drop0.4", "drop0.2"], seeds.store, "student"))} == {"student"}


def test_a_label_beside_a_run_means_the_runs_of_its_stage(seeds: Any) -> None:
    student = next(e.id for e in seeds.store.scan() if e.info.stage == "student" and e.info.experiment == "drop0.2")
    assert {stage for _, stage, _ in shape(resolve([student, "drop0.4"], seeds.store))} == {"student"}


def test_a_person_may_put_runs_together_and_name_the_group(seeds: Any) -> None:
    ids = [e.id for e in seeds.store.scan() if e.info.stage == "evaluate"]
    groups = resolve([f"base={ids[1]},{ids[0]}", f"new={','.join(ids[3:])}"], seeds.store)
    assert shape(groups) == [("base", "evaluate", [1, 2]), ("new", "evaluate", [1, 2, 3])]


def test_a_single_label_is_split_into_its_settings(world: Any) -> None:
    for dropout in (0.2, 0.4):
        for seed in (1, 2):
            world.student("sweep", seed, f"student.dropout={dropout}")
    assert shape(resolve(["sweep"], world.store)) == [
        ("student.dropout=0.2", "student", [1, 2]),
        ("student.dropout=0.4", "student", [1, 2]),
    ]


def test_only_the_sections_that_a_run_rests_on_are_its_settings(seeds: Any) -> None:
    (group, _) = resolve(["drop0.2", "drop0.4"], seeds.store)
    settings = group.members[0].settings
    assert settings["student.dropout"] == 0.2
    sections = {name.partition(".")[0] for name in settings}
    assert sections >= {"seed", "data", "student", "evaluate", "trainer"}
    assert not sections & {"backbone", "teacher", "knowledge", "distill"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "needs two groups"),
        (["drop0.2"], "name 1"),
        (["drop0.2", "drop0.2"], "stands in drop0.2 and in drop0.2"),
        (["drop02", "drop0.2"], "experiments: drop0.2"),
        (["A=", "drop0.2"], "names no group"),
    ],
)
def test_words_that_make_no_comparison_are_errors_with_a_remedy(words: list[str], says: str, seeds: Any) -> None:
    with pytest.raises(UserError) as caught:
        resolve(words, seeds.store)
    assert says in str(caught.value)
    assert caught.value.remedy


def test_a_stage_that_an_experiment_has_no_run_of_is_an_error(world: Any) -> None:
    world.student("a", 1)
    world.evaluate("b", 1, ranks=world.ranks(1))
    with pytest.raises(UserError, match="'a' has no evaluate run"):
        resolve(["a", "b"], world.store, "evaluate")
