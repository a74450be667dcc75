import pytest

from engine.report.searches import Size, sentence, sizes

FEW, MANY = Size(3, 30), Size(20, 2400)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            {"student": MANY, "teacher": Size(0, 0), "distilled": Size(20, 320)},
            "settings chosen on validation rows: student 20 trials (2,400 epochs), distilled 20 trials (320 epochs); "
            "not searched: teacher",
        ),
        ({"student": Size(1, 1)}, "settings chosen on validation rows: student 1 trial (1 epoch)"),
        ({"student": Size(0, 0), "distilled": Size(0, 0)}, "not searched: student, distilled"),
        ({"student": Size(None, None), "teacher": Size(0, 0)}, "not searched: teacher; search not recorded: student"),
        (
            {"student": FEW, "distilled": MANY},
            "settings chosen on validation rows: student 3 trials (30 epochs), distilled 20 trials (2,400 epochs); "
            "student was searched less, which favours distilled",
        ),
        (
            {"student": Size(20, None), "distilled": Size(0, 0)},
            "settings chosen on validation rows: student 20 trials; not searched: distilled",
        ),
        ({}, ""),
    ],
)
def test_the_size_of_the_search_is_a_sentence(found: dict[str, Size], words: str) -> None:
    assert sentence(found) == words


@pytest.mark.parametrize(
    ("before", "after", "less"),
    [
        ((20, 320), (20, 2400), True),  # as many trials, but shorter ones
        ((20, 2400), (20, 320), False),  # the baseline had more: that favours nobody whose gain is claimed
        ((3, 2400), (20, 2400), True),
        ((30, 320), (20, 2400), True),  # more trials do not make up for their length
        ((20, None), (20, 2400), False),
        ((3, None), (20, 2400), True),
        ((None, None), (20, 2400), False),
        ((20, 320), (20, 320), False),
    ],
)
def test_a_search_is_less_than_another_by_its_trials_or_by_their_length(
    before: tuple[int | None, int | None], after: tuple[int | None, int | None], less: bool
) -> None:
    assert Size(*before).less(Size(*after)) == less
    words = sentence({"student": Size(*before), "distilled": Size(*after)})
    assert ("student was searched less, which favours distilled" in words) == less


def test_models_without_settings_have_no_search_and_old_runs_have_none_recorded() -> None:
    settings = {"search.student": 20, "search.distill": 0, "search.distill_epochs": 0}
    models = ["popularity", "oracle", "student", "teacher", "distilled"]
    assert sizes(settings, models) == {
        "student": Size(20, None), "teacher": Size(None, None), "distilled": Size(0, 0),
    }  # fmt: skip
    assert sizes(settings, ["popularity"]) == {}
