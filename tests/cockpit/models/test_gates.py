"""Gate events become the latest histogram and a load over time."""

import math

import pytest

from cockpit.models.gates import KEPT, Gates
from engine.runs.events import pack_counts


def event(step=1, layer="l", counts=((4, 0), (0, 2)), load=(0.75, 0.25), entropy=0.5):
    text, largest = pack_counts(counts)
    return {"k": "gate", "layer": layer, "step": step, "c": text, "mx": largest, "load": list(load), "ent": entropy}


def fed(*events):
    gates = Gates()
    assert all(gates.feed(one) for one in events)
    return gates


def test_the_latest_histogram_and_every_load_are_kept():
    layer = fed(event(1), event(2, counts=((1, 1), (9, 0)), load=(0.5, 0.5))).layers["l"]
    assert layer.counts.tolist() == [[1, 1], [9, 0]] and layer.steps == [1, 2]
    assert layer.load.tolist() == [0.5, 0.5] and layer.loads_over_time.tolist() == [[0.75, 0.5], [0.25, 0.5]]


def test_the_coefficient_of_variation_is_zero_for_an_even_load():
    assert fed(event(load=(0.5, 0.5))).layers["l"].variation == 0
    assert fed(event(load=(0.75, 0.25))).layers["l"].variation == 0.5
    assert math.isnan(fed(event(load=(0.0, 0.0))).layers["l"].variation)
    assert fed(event()).layers["l"].most_entropy == math.log(2)


def test_another_number_of_experts_is_another_layer():
    layer = fed(event(1), event(2, counts=((1, 1),), load=(1.0,))).layers["l"]
    assert layer.experts == 1 and layer.steps == [2] and layer.most_entropy == 0


def test_old_reports_are_thinned_out_and_the_newest_stay():
    gates = fed(*(event(step) for step in range(KEPT + 1)))
    steps = gates.layers["l"].steps
    assert len(steps) == len(gates.layers["l"].loads) == len(gates.layers["l"].entropies) == KEPT // 4 * 3 + 1
    assert steps[:3] == [0, 2, 4] and steps[-2:] == [KEPT - 1, KEPT] and steps == sorted(steps)


def test_a_rewind_drops_later_reports_but_never_all():
    gates = fed(event(1), event(2), event(3))
    gates.rewind(2)
    assert gates.layers["l"].steps == gates.layers["l"].shares.steps == [1, 2]
    gates.rewind(0)
    assert gates.layers["l"].steps == [1]


def test_faults_are_those_that_the_run_noted_and_end_with_their_note():
    gates = fed(event(layer="a"), event(layer="b"))
    gates.note({"code": "dead_expert", "level": "warning", "groups": ["a e1"]})
    gates.note({"code": "gate_collapse", "level": "error", "groups": ["b"]})
    gates.note({"code": "explode", "level": "error", "groups": ["b"]})
    assert gates.layers["a"].dead == {1} and not gates.layers["a"].collapsed
    assert gates.layers["b"].collapsed and not gates.layers["b"].dead
    gates.note({"code": "dead_expert", "level": "info", "groups": ["a e1"]})
    assert not gates.layers["a"].dead


def test_a_layer_that_is_reported_after_the_note_has_its_fault_too():
    gates = Gates()
    gates.note({"code": "dead_expert", "level": "warning", "groups": ["a e0"]})
    assert gates.feed(event(layer="a")) and gates.layers["a"].dead == {0}


@pytest.mark.parametrize(
    "broken", [{"load": [1.0]}, {"mx": []}, {"mx": ["x", 1]}, {"load": [None, 1.0]}, {"c": "\x7f"}]
)
def test_an_event_whose_parts_contradict_each_other_is_refused(broken):
    gates = Gates()
    assert not gates.feed(event() | broken) and not gates.layers
