"""The panes of the gates as drawn text."""

import math

import numpy as np

from cockpit.models.gates import Gates, Layer
from cockpit.panes import gates as panes
from cockpit.render.lines import plain, width


def made(layers=1, experts=4, **more):
    gates = Gates()
    for index in range(layers):
        counts = np.zeros((experts, 8))
        counts[:, index % 8] = 5.0
        loads = [[1 / experts] * experts]
        gates.layers[f"layers.{index}"] = Layer(counts, [10.0 * (index + 1)], loads, [math.log(experts)], **more)
    return gates


def test_every_expert_has_its_histogram_its_load_and_the_statistics_follow():
    lines = panes.histograms(made(), 0, 60, 10)
    text = plain(lines)
    assert "layer layers.0 (1/1)  step 10" in text and "entropy 1.4/1.4" in text and "load cv 0" in text
    rows = text.splitlines()[1:5]
    assert [row[1:3] for row in rows] == ["e0", "e1", "e2", "e3"] and all(".25" in row and "█" in row for row in rows)
    assert len(lines) == 10 and all(width(line) == 60 for line in lines)


def test_dead_experts_and_a_collapsed_gate_are_marked():
    lines = panes.histograms(made(dead=frozenset({1}), collapsed=True), 0, 40, 10)
    styles = {text.strip(): style for line in lines for text, style in line}
    assert styles["dead 1/4"] == "bad" and styles["entropy 1.4/1.4"] == "warn"
    assert [style for text, style in lines[2] if ".25" in text] == ["bad"]
    assert [style for text, style in lines[1] if ".25" in text] == ["dim"]


def test_experts_without_room_are_counted():
    assert "... 7 more experts" in plain(panes.histograms(made(experts=8), 0, 40, 6))
    assert "... 5 more experts" in plain(panes.heat_strip(made(experts=8), 0, 40, 6))


def test_the_index_of_a_layer_wraps_around():
    gates = made(3)
    assert [panes.chosen(gates, index)[0] for index in (0, 2, 3, 5)] == ["layers.0", "layers.2", "layers.0", "layers.2"]


def test_as_many_layers_as_fit_share_the_height():
    gates = made(3)
    lines = panes.layers(gates, 1, 40, 17, focused=True)
    heads = [line for line in plain(lines).splitlines() if "layer layers" in line]
    assert ["layers.1" in heads[0], "layers.2" in heads[1], len(heads), len(lines)] == [True, True, 2, 17]
    assert lines[0][0][1] == "focus" and lines[8][0][1] == "border"
    assert panes.layers(gates, 0, 40, 10) == panes.histograms(gates, 0, 40, 10)


def test_the_strip_has_a_row_per_expert_and_leaves_a_dead_one_blank():
    gates = made(experts=2)
    gates.layers["layers.0"].loads = [[1.0, 0.0]] * 3
    gates.layers["layers.0"].steps = [1.0, 2.0, 3.0]
    rows = plain(panes.heat_strip(gates, 0, 30, 6)).splitlines()
    assert "███" in rows[1] and "█" not in rows[2] and "3 reports" in plain(panes.heat_strip(gates, 0, 60, 6))


def test_without_gates_both_panes_say_so():
    for draw in (panes.histograms, panes.heat_strip, panes.layers):
        assert "no gates reported" in plain(draw(Gates(), 0, 40, 6))
