"""The pane of gradient norms as drawn text."""

import math

from cockpit.models.gradients import Gradients
from cockpit.panes.gradients import render
from cockpit.render.lines import plain, width


def made(norms, clip=None, clipped=False):
    gradients = Gradients()
    gradients.schema([{"name": name, "numel": 1} for name in norms])
    gradients.feed({"step": 1, "g": list(norms.values()), "total": 1.0, "clip": clip, "clipped": clipped})
    return gradients


def test_a_bar_spans_six_decades_below_the_largest_norm():
    lines = plain(render(made({"a": 1.0, "b": 1e-3, "c": 1e-7}), 60, 6)).splitlines()
    lengths = [line.count("█") for line in lines[1:4]]
    assert lengths[1] == lengths[0] // 2 and lengths[2] == 0 and "▏" in lines[3]


def test_none_zero_and_nan_differ():
    text = plain(render(made({"a": None, "b": 0.0, "c": math.nan, "d": 0.5}), 60, 7))
    assert "1 None · 1 zero" in text
    rows = text.splitlines()
    assert "· None" in rows[1] and "· zero" in rows[2] and "✗ NaN" in rows[3] and "█" in rows[3]
    assert rows[4].split()[-2:] == [".50", "│"]


def test_a_fault_that_the_run_noted_is_red_and_another_is_dim():
    gradients = made({"a": None, "b": None})
    gradients.note({"code": "grad_none", "level": "error", "groups": ["b"]})
    lines = render(gradients, 60, 5)
    styles = [[style for text, style in line if "None" in text] for line in lines]
    assert styles[1][-1] == "dim" and styles[2][-1] == "bad" and styles[0] == ["bad"]
    assert "✗ None" in plain(lines[2:3])


def test_faults_come_first_where_there_is_no_room_for_all():
    text = plain(render(made({"a": 1.0, "b": 1.0, "c": 0.0}), 60, 4)).splitlines()
    assert text[1].startswith("│c") and text[2].startswith("│a") and len(text) == 4


def test_clipping_is_shown_with_its_share():
    assert "clip 1 hit 100%" in plain(render(made({"a": 2.0}, clip=1.0, clipped=True), 80, 4))


def test_without_gradients_it_says_so_and_fills_its_pane():
    lines = render(Gradients(), 40, 5)
    assert "no gradients reported" in plain(lines) and len(lines) == 5 and all(width(line) == 40 for line in lines)


def test_bars_are_named_logarithmic_and_steps_that_are_always_cut_warn():
    gradients = made({"a": 1.0}, clip=1.0, clipped=True)
    assert "log bars" in plain(render(gradients, 60, 5))
    styles = {style for text, style in render(gradients, 60, 5)[0] if "clip" in text}
    assert styles == {"dim"} and not gradients.always_clipped
    for _ in range(30):
        gradients.feed({"step": 1, "g": [1.0], "total": 2.0, "clip": 1.0, "clipped": True})
    assert {style for text, style in render(gradients, 60, 5)[0] if "clip" in text} == {"warn"}
    for _ in range(10):
        gradients.feed({"step": 1, "g": [1.0], "total": 0.5, "clip": 1.0, "clipped": False})
    assert not gradients.always_clipped
