"""Heat maps and bands of gates and gradients."""

import numpy as np
import pytest

from cockpit.models.chart import View
from cockpit.models.gates import Gates
from cockpit.models.gradients import Gradients
from cockpit.panes.over_time import gate_bands, gate_heat, gradient_bands, gradient_heat
from cockpit.render.lines import plain, width
from engine.runs.events import pack_counts

SIZES = [(38, 4), (78, 9), (60, 14), (120, 30), (200, 57)]


def gates(layers=2, experts=4, reports=40):
    made = Gates()
    for step in range(0, reports * 10, 10):
        for layer in range(layers):
            load = np.full(experts, (1 - step / 1000) / max(experts - 1, 1))
            load[layer] = step / 1000
            counts = np.zeros((experts, 10))
            counts[:, 2] = 8.0
            counts[layer, min(step // 50, 9)] = 100.0
            text, largest = pack_counts(counts)
            event = {"k": "gate", "layer": f"layers.{layer}", "step": step, "c": text, "mx": largest}
            assert made.feed(event | {"load": (load / load.sum()).tolist(), "ent": 1.0 if layer else 0.05})
    return made


def gradients(*past):
    made = Gradients()
    made.schema([{"name": name, "numel": 1} for name in ("embedding", "blocks", "head")])
    for step, norms in enumerate(past):
        made.feed({"step": step, "g": norms, "total": 1.0})
    return made


@pytest.mark.parametrize("size", SIZES)
def test_all_views_fill_their_rectangle(size):
    own = gradients(*([1.0 / (k + 1), None, 0.0] for k in range(30)))
    for lines in (
        gradient_heat(own, *size),
        gradient_bands(own, View(), *size),
        gate_heat(gates(), 1, *size),
        gate_bands(gates(), 0, View(), *size),
        gate_heat(Gates(), 0, *size),
        gate_bands(Gates(), 0, View(), *size),
        gradient_heat(Gradients(), *size),
        gradient_bands(Gradients(), View(), *size),
    ):
        assert len(lines) == size[1] and {width(line) for line in lines} == {size[0]}


def row(text, name):
    return next(line for line in text.splitlines() if line.startswith(f"│{name} ")).strip("│").split(maxsplit=1)[1]


def test_a_gradient_is_compared_with_its_own_past_and_a_missing_one_is_a_dot():
    falling = [[10.0 ** (-k / 10), None, 1000.0] for k in range(31)]
    text = plain(gradient_heat(gradients(*falling), 80, 8))
    shades = row(text, "embedding")
    assert shades[0] == "█" and "▓▒" in shades.replace("▓▓", "▓") and shades.rstrip("│").endswith(" ")
    order = [" ░▒▓█".index(shade) for shade in shades]
    assert order == sorted(order, reverse=True)
    assert set(row(text, "blocks")) == {"·"} and set(row(text, "head")) == {"█"}
    assert "30 step" in text


def test_every_expert_of_every_layer_has_a_row_and_every_layer_its_entropy():
    text = plain(gate_heat(gates(), 0, 100, 20))
    assert [row(text, f"layers.{layer} e{e}") is not None for layer in (0, 1) for e in range(4)] == [True] * 8
    growing = row(text, "layers.0 e0").removeprefix("e0 ")
    assert growing[0] == " " and growing[-3:] == "▓▓▓"  # a share of .39 of four experts, which is .78 of twice the even
    assert row(text, "layers.1 H").count("▓") > 50 and "▓" not in row(text, "layers.0 H")


def test_rows_without_room_are_counted_and_the_next_layer_comes_first_on_demand():
    text = plain(gate_heat(gates(layers=3, experts=8), 2, 100, 8))
    assert "+3 rows" in text and "layers.2 e0" in text and "layers.0 e" not in text


def test_bands_show_median_and_range_of_each_expert():
    wide = plain(gate_bands(gates(), 0, View(), 120, 20))
    assert [f"layers.0 e{e}" in wide for e in range(4)] == [True] * 4
    small = plain(gate_bands(gates(), 0, View(), 60, 12))
    assert small.count("╭") == 1 and "median, 10-90 %" in small
    layer = gates().layers["layers.0"]
    low, middle, high = layer.quantiles(1)[[0, 2, 4]]
    assert (low <= middle).all() and (middle <= high).all() and middle[-1] == 0.25
    assert layer.quantiles(0)[2, -1] == 0.75


def test_the_band_of_gradients_spans_the_groups():
    text = plain(gradient_bands(gradients(*([1.0, 0.1, 0.01] for _ in range(20))), View(), 80, 14))
    labels = [float(line[1:7]) for line in text.splitlines() if "┤" in line]
    assert min(labels) <= 0.05 and max(labels) >= 0.5 and "log" in text
    dots = sum("\u2801" <= letter <= "\u28ff" for letter in text)
    assert dots > 200, "the range is filled"
