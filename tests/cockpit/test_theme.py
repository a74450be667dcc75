"""Colours that people tell apart, and states that need none."""

import itertools

import numpy as np
import pytest

from cockpit.models.rows import OPEN, OTHER
from cockpit.panes.run_table import STATES
from cockpit.theme import CURVES, palette
from engine.jobs.state import State

# Linear RGB as it is seen without one kind of cone: Machado, Oliveira and Fernandes 2009, severity 1.
EYES = {
    "all cones": np.eye(3),
    "no red cones": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])  # D65


def seen(style, eye):
    """A style's colour in CIELAB, as an eye sees it."""
    srgb = np.array(palette(256)[style].color.get_truecolor()) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = SRGB_TO_XYZ @ np.clip(np.array(EYES[eye]) @ linear, 0, 1) / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(styles, eye):
    """The least distance between two of the colours (Delta E 1976; from about 2 on two colours differ)."""
    colours = [seen(style, eye) for style in styles]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(colours, 2))


@pytest.mark.parametrize("eye", EYES)
def test_curves_differ_by_every_eye(eye):
    assert nearest([f"series{number}" for number in range(CURVES)], eye) > 25


@pytest.mark.parametrize("eye", ["all cones", "no red cones", "no green cones"])
def test_good_warning_bad_and_waiting_differ(eye):
    assert nearest(["ok", "warn", "bad", "wait", "done"], eye) > 20


def test_colours_are_bright_enough_for_a_dark_terminal_and_dark_enough_for_a_bright_one():
    lights = [seen(f"series{number}", "all cones")[0] for number in range(CURVES)]
    assert min(lights) > 40 and max(lights) < 95


def test_every_state_has_a_glyph_and_a_word_of_its_own():
    assert set(STATES) == {*(state.value for state in State), OTHER}
    assert (
        len({glyph for glyph, _, _ in STATES.values()}) == len({word for _, word, _ in STATES.values()}) == len(STATES)
    )
    assert set(OPEN) < set(STATES)


def test_sixteen_colours_and_none_use_no_others():
    assert all(style.color is None or style.color.number < 16 for style in palette(16).values())
    assert all(style.color is None for style in palette(0).values())
    assert set(palette(0)) == set(palette(16)) == set(palette(256))


def test_the_focused_pane_differs_in_every_palette():
    from cockpit.render.lines import box

    def looks(focused, colours):
        return [
            (text, palette(colours).get(style))
            for line in box([("a", "title")], [], 9, 3, focused)
            for text, style in line
        ]

    for colours in (256, 16, 0):
        assert looks(True, colours) != looks(False, colours)
    assert palette(0)["here"] != palette(0)["title"]
