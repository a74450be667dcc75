import pytest

from engine.report.searches import sentence, trials


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (
            {"student": 20, "teacher": 0, "distilled": 20},
            "settings chosen on validation rows: student 20 trials, distilled 20 trials; not searched: teacher",
        ),
        ({"student": 1}, "settings chosen on validation rows: student 1 trial"),
        ({"student": 0, "distilled": 0}, "not searched: student, distilled"),
        ({"student": None, "teacher": 0}, "not searched: teacher; search not recorded: student"),
        (
            {"student": 3, "distilled": 20},
            "settings chosen on validation rows: student 3 trials, distilled 20 trials; "
            "unequal, which favours distilled",
        ),
        (
            {"student": 20, "distilled": 0},
            "settings chosen on validation rows: student 20 trials; not searched: distilled; "
            "unequal, which favours student",
        ),
        ({}, ""),
    ],
)
def test_the_size_of_the_search_is_a_sentence(counts: dict[str, int | None], words: str) -> None:
    assert sentence(counts) == words


def test_models_without_settings_have_no_search_and_old_runs_have_none_recorded() -> None:
    settings = {"search.student": 20, "search.distill": 0}
    models = ["popularity", "oracle", "student", "teacher", "distilled"]
    assert trials(settings, models) == {"student": 20, "teacher": None, "distilled": 0}
    assert trials(settings, ["popularity"]) == {}
