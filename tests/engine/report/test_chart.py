"""Curves as text."""

from engine.report.chart import chart


def test_a_chart_has_its_title_its_steps_and_no_colour() -> None:
    text = chart({"a": ([20, 500, 1000], [0.1, 0.3, 0.2])}, "val_recall@10")
    assert "val_recall@10" in text
    assert "1,000" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 78


def test_two_charts_do_not_draw_on_each_other() -> None:
    alone = chart({"b": ([0, 1], [0.0, 1.0])}, "second")
    chart({"a": ([0, 10], [5.0, -5.0])}, "first")
    assert chart({"b": ([0, 1], [0.0, 1.0])}, "second") == alone


def test_several_curves_are_told_apart_by_name() -> None:
    text = chart({"before": ([0, 9], [0.0, 1.0]), "after": ([0, 9], [1.0, 0.0])}, "both")
    assert "before" in text
    assert "after" in text


def test_a_curve_that_never_changes_is_drawn_on_a_scale_of_its_own_size() -> None:
    for value in (0.2418, 2500.0, 0.0):
        labels = [
            float(line.split("┤")[0]) for line in chart({"a": ([1, 9], [value] * 2)}, "t").splitlines() if "┤" in line
        ]
        assert max(labels) - min(labels) <= 0.25 * abs(value) or value == 0
        assert min(labels) <= value <= max(labels)
