"""A grid of settings: how words span it, and what its combinations share."""

from pathlib import Path

import pytest

from engine import config
from engine.errors import ConfigError
from engine.experiments.plan import NEW, REUSE
from engine.experiments.sweep import LIMIT, SHARED, combinations, count, plans
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo


def names(*words: str) -> list[str]:
    return [point.name for point in combinations(words)]


def test_the_last_word_moves_fastest_and_single_values_are_in_every_combination() -> None:
    grid = combinations(["student.hidden=16", "student.dropout=0.1,0.2", "seed=1,2"])
    assert [point.name for point in grid] == [
        "student.dropout=0.1 seed=1",
        "student.dropout=0.1 seed=2",
        "student.dropout=0.2 seed=1",
        "student.dropout=0.2 seed=2",
    ]
    assert grid[2].overrides == ["student.hidden=16", "student.dropout=0.2", "seed=1"]
    assert {(point.config.student.hidden, point.config.student.seed) for point in grid} == {(16, 1), (16, 2)}


def test_dots_count_whole_numbers() -> None:
    assert names("seed=1..3,7") == ["seed=1", "seed=2", "seed=3", "seed=7"]


def test_a_list_in_brackets_is_one_value() -> None:
    assert names("student.heights=[1,2],[3]", "seed=1") == ["student.heights=[1,2]", "student.heights=[3]"]
    assert names("evaluate.models=[popularity,student]", "seed=1,2") == ["seed=1", "seed=2"]


def test_commas_of_a_free_text_are_its_own_outside_of_parentheses() -> None:
    assert names("data=table", "data.path=a,b", "seed=1,2") == ["seed=1", "seed=2"]
    assert names("data=table", "data.path=(a,b)") == ["data.path=a", "data.path=b"]


def test_choices_of_files_and_of_settings_are_values_too() -> None:
    assert names("student=sasrec,gru4rec") == ["student=sasrec", "student=gru4rec"]
    assert names("student.schedule=constant,cosine") == ["student.schedule=constant", "student.schedule=cosine"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["student.heights=1,2"], "student.heights=[1,2] for one list"),
        (["seed=1,1"], "twice"),
        (["seed=1", "seed=2"], "given twice"),
        (["student.dropot=0.1,0.2"], "student.dropout"),
        (["student.dropout=0.1,7"], "less than 1"),
        ([f"seed=1..{LIMIT}", "student.dropout=0.1,0.2"], "engine tune"),
    ],
)
def test_a_fault_in_any_value_is_told_before_anything_runs(words: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        combinations(words)
    assert says in str(caught.value)


def test_what_combinations_share_is_made_once(tmp_path: object) -> None:
    store = Store(tmp_path)  # type: ignore[arg-type]
    grid = combinations(["evaluate.models=[popularity,student]", "student.dropout=0.1,0.2", "evaluate.head=0.5,0.6"])
    steps = plans("evaluate", grid, store, again=False)
    assert [{step.stage.name: step.action for step in own} for own in steps] == [
        {"data": NEW, "student": NEW, "evaluate": NEW},
        {"data": SHARED, "student": SHARED, "evaluate": NEW},
        {"data": SHARED, "student": NEW, "evaluate": NEW},
        {"data": SHARED, "student": SHARED, "evaluate": NEW},
    ]
    assert count(steps) == {"new": 7, "resume": 0, "join": 0, "reuse": 0}
    data = steps[0][0]
    with Run.open(store.create(RunInfo("data-1", "data", "x", 1, data.fingerprint), config.dump(grid[0].config))):
        pass
    assert {own[0].action for own in plans("evaluate", grid, store, again=False)} == {REUSE}


def test_a_path_is_a_source_of_every_combination(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("user,item\n" + "".join(f"{n % 3},{n}\n" for n in range(9)))
    grid = combinations([f"data.path=({tmp_path}/a.csv,{tmp_path}/b.csv)", "seed=1,2", "student.dropout=0.1"])
    assert [point.config.data.name for point in grid] == ["a", "a", "b", "b"]
    assert {point.config.data.format for point in grid} == {"table"} and len({point.note for point in grid}) == 2
    assert grid[0].values == {"data.path": f"{tmp_path}/a.csv", "seed": "1"}
