"""A search space from words, and a search that goes on where it was interrupted."""

import math
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigError, UserError
from engine.experiments.tune import DONE, FAILED, OPEN, Categorical, Range, Search, space

WORDS = [
    "student.learning_rate=log:1e-4..1e-2",
    "student.dropout=0.1..0.5",
    "student.hidden=8..64",
    "student.batch=64,128",
    "student.heights=[1,2]",
    "seed=4,5",
]
DROPOUT = "student.dropout=0.1..0.5"
ASKED = {"words": "student ...", "metric": "val_ndcg@10"}


def test_words_are_ranges_choices_and_fixed_settings() -> None:
    found = space(WORDS)
    assert found.searched == {
        "student.learning_rate": Range(1e-4, 1e-2, log=True, whole=False),
        "student.dropout": Range(0.1, 0.5, log=False, whole=False),
        "student.hidden": Range(8, 64, log=False, whole=True),
        "student.batch": Categorical(("64", "128")),
    }
    assert found.fixed == ["student.heights=[1,2]"]
    assert found.seeds == ["4", "5"]  # not searched: the mean over them counts


def test_drawn_numbers_are_typed_with_few_digits_and_stay_within_their_range() -> None:
    found = space(["student.learning_rate=log:1e-4..1e-2", "student.dropout=0.1..0.33333", "student.hidden=8..64"])
    words = found.overrides({"student.learning_rate": 0.00123456, "student.dropout": 0.33333, "student.hidden": 16})
    assert words == ["student.learning_rate=0.001235", "student.dropout=0.3333", "student.hidden=16"]
    assert found.overrides({"student.learning_rate": 1e-4, "student.dropout": 0.1, "student.hidden": 64})[0].endswith(
        "=0.0001"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["student.dropout=0.3"], "nothing is searched"),
        (["student.dropout=0.5..0.1"], "smaller end first"),
        (["student.dropout=log:0..0.5"], "above 0"),
        (["student.dropout=log:0.1,0.2"], "not a range"),
        (["student.dropout=0.5..1.5"], "less than 1"),
        (["student.dropot=0.1..0.5"], "student.dropout"),
        (["student.heights=1,2"], "student.heights=[1,2]"),
        (["student.batch=3.5..9"], "whole number"),
    ],
)
def test_a_space_that_cannot_be_searched_is_an_error_with_a_remedy(words: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        space(words)
    assert says in str(caught.value)


def opened(path: Path, goal: str = "max", words: list[str] = WORDS, **asked: str) -> Search:
    path.mkdir(exist_ok=True)
    return Search(path / "try.journal", ASKED | asked, space(words), goal, seed=4)


def figure(drawn: dict[str, Any]) -> float:
    """Best at a learning rate of 1e-3 and no dropout."""
    return -abs(math.log10(drawn["student.learning_rate"]) + 3) - drawn["student.dropout"]


def test_a_search_that_is_opened_anew_for_every_trial_asks_the_same_as_one_that_goes_through(tmp_path: Path) -> None:
    whole, parts = [], []
    search = opened(tmp_path / "whole")
    for _ in range(11):  # beyond the first ten, which are drawn at random
        trial = search.next()
        whole.append(trial.params)
        search.tell(trial, figure(trial.params), [f"run-{trial.number}"])
    for _ in range(11):
        again = opened(tmp_path / "parts")
        trial = again.next()
        parts.append(trial.params)
        again.tell(trial, figure(trial.params), [])
    assert parts == whole
    assert len({tuple(drawn.values()) for drawn in whole}) == 11  # every trial asks something new
    known = opened(tmp_path / "whole").trials()
    assert [trial.state for trial in known] == [DONE] * 11
    assert [trial.runs for trial in known] == [[f"run-{number}"] for number in range(11)]


def test_a_trial_that_was_left_open_is_tried_again_before_any_other(tmp_path: Path) -> None:
    first = opened(tmp_path).next()
    search = opened(tmp_path)
    assert search.next() == first
    assert [trial.state for trial in search.trials()] == [OPEN]


def test_the_best_trial_follows_the_goal_and_no_failed_one_is_best(tmp_path: Path) -> None:
    for goal, expected in (("max", 1), ("min", 0)):
        search = opened(tmp_path / goal, goal)
        for value in (0.2, 0.4, None, math.nan):
            search.tell(search.next(), value, [])
        best = search.best()
        assert best is not None
        assert best.number == expected
        assert [trial.state for trial in search.trials()] == [DONE, DONE, FAILED, FAILED]


def test_a_journal_of_another_search_is_refused_with_its_own_words(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(UserError, match="--experiment NAME"):
        opened(tmp_path, metric="val_recall@10")


def test_a_journal_of_an_earlier_version_gives_the_runs_of_its_trials(tmp_path: Path) -> None:
    import optuna

    found = space(["student.dropout=0.1..0.5"])
    path = tmp_path / "try.journal"
    Search(path, ASKED, found, "max", 1)
    storage = optuna.storages.journal.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    study = optuna.load_study(study_name="try", storage=storage)
    trial = study.ask()
    trial.suggest_float("student.dropout", 0.1, 0.5)
    trial.set_user_attr("runs", ["student-1"])
    study.tell(trial, 0.5)
    (known,) = Search(path, ASKED, found, "max", 1).trials()
    assert (known.state, known.value, known.runs) == (DONE, 0.5, ["student-1"])


@pytest.mark.parametrize(
    ("target", "words", "size"),
    [
        ("student", [DROPOUT, "search.student=5"], ["search.student=12", "search.student_epochs=null"]),
        (
            "student",
            [DROPOUT, "search.student=5", "search.student_epochs=100", "student.epochs=3"],
            ["search.student=12", "search.student_epochs=121"],
        ),
        ("student", [DROPOUT, "student.epochs=2"], ["search.student=7", "search.student_epochs=14"]),
        ("student", [DROPOUT, "student.epochs=2", "seed=1,2"], ["search.student=7", "search.student_epochs=28"]),
        # The demo's student is the best of 20 trials of 2,400 epochs.
        ("student", ["student.epochs=2,9,4"], ["search.student=27", "search.student_epochs=2463"]),
        (
            "distill",
            [DROPOUT, "search.distill=2", "search.student=1", "distill.student.epochs=3", "student.epochs=5"],
            ["search.student=8", "search.student_epochs=null", "search.distill=9", "search.distill_epochs=null"],
        ),
        (
            "distill",
            ["distill.student.dropout=0.1..0.5", "distill.student.epochs=16"],
            ["search.distill=7", "search.distill_epochs=112"],
        ),
        (
            "knowledge",
            ["teacher.weight_decay=0.1..0.5", "search.teacher=0", "search.teacher_epochs=0", "teacher.epochs=2"],
            ["search.teacher=7", "search.teacher_epochs=14"],
        ),
    ],
)
def test_the_size_of_a_search_is_added_to_that_of_the_one_that_chose_the_settings_it_began_from(
    target: str, words: list[str], size: list[str]
) -> None:
    """7 trials of as many trainings as seeds, of the most epochs in the space; of the first search all or nothing."""
    assert space(words).size(target, 7) == size
