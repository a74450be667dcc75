import math

import pytest

from engine.report import numbers


@pytest.mark.parametrize(
    ("p", "text"), [(1.0, "1.0000"), (0.00012, "0.0001"), (0.00004, "< 0.0001"), (0.0, "< 0.0001")]
)
def test_a_small_probability_is_never_called_zero(p: float, text: str) -> None:
    assert numbers.probability(p) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0907, ".0907"), (12.34, "12.34"), (3.1e-7, "3.1e-7"), (0.0, "0"), (-0.5, "-.5000")),
        *((2.5e7, "2.5e7"), (math.nan, "NaN"), (-math.inf, "-inf"), (None, "--")),
    ],
)
def test_a_figure_takes_few_cells(value: float | None, text: str) -> None:
    assert numbers.figure(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.25, "+.2500"), (-0.25, "-.2500"), (0.0, "+0"), (math.nan, "NaN")])
def test_a_difference_has_its_sign(value: float, text: str) -> None:
    assert numbers.signed(value) == text


def test_a_mean_stands_beside_its_spread_and_half_its_interval() -> None:
    assert numbers.mean_sd(0.12345, 0.01) == "0.1235 ±0.0100"
    assert (numbers.mean_sd(0.5, None), numbers.mean_sd(None, None)) == ("0.5000", "-")
    assert numbers.mean_sd(1234.56, 100.0) == "1,234.6 ±100.0"
    assert numbers.with_margin(0.5, 0.48, 0.51) == "0.5000 ±0.0200"
    assert numbers.with_margin(0.0, 0.0, 0.0123) == "0.0000 ±0.0123"
    assert numbers.interval(-0.001, 0.0042) == "-0.0010 to +0.0042"


def test_fixed_digits_are_a_dash_where_nothing_is_known() -> None:
    assert [numbers.fixed(0.25), numbers.fixed(12.345, 1), numbers.fixed(None)] == ["0.2500", "12.3", "-"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.6, "0:00"), (38, "0:38"), (3723, "1:02:03"), (3 * 86400 + 4 * 3600, "3d04h"), (None, "--"), (-1, "--")],
)
def test_a_duration_reads_as_a_clock(seconds: float | None, text: str) -> None:
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(-3, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")])
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert numbers.age(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(1234, "1,234"), (62.4, "62"), (3.44, "3.4"), (0.42, "0.42")])
def test_a_slow_rate_is_not_shown_as_none(value: float, text: str) -> None:
    assert numbers.rate(value) == text


@pytest.mark.parametrize(("value", "text"), [(512, "512B"), (3.4 * 1024**2, "3.4M"), (612 * 1024**3, "612G")])
def test_bytes_have_a_binary_unit(value: float, text: str) -> None:
    assert numbers.size(value) == text


@pytest.mark.parametrize(("value", "text"), [(950, "950"), (12_400, "12.4k"), (3.1e6, "3.1M"), (2e9, "2G")])
def test_a_large_count_is_brief(value: float, text: str) -> None:
    assert numbers.brief(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (True, "true"), (0.1, "0.1"), ([1, True], "[1,true]"), ("a", "a")]
)
def test_a_setting_reads_as_it_is_typed(value: object, text: str) -> None:
    assert numbers.setting(value) == text
