"""The pane of a run's health as drawn text."""

import numpy as np

from cockpit.models.gates import Layer
from cockpit.models.rows import Row
from cockpit.models.run_data import RunData
from cockpit.panes.health import lines, render
from cockpit.render.lines import plain


def row(state="RUNNING", **more):
    return Row("student-1", "student", state=state, **more)


def test_a_run_that_ended_badly_gives_its_reason():
    assert plain(lines(row("KILLED", reason="out of memory"), RunData())) == "✗ killed: out of memory"
    assert plain(lines(row("QUEUED", reason="slot"), RunData())) == "◌ queued: slot"
    assert plain(lines(row("WAITING", reason="x", waits="for data 1a2b"), RunData())) == "◌ waiting: for data 1a2b"
    assert plain(lines(row("STALLED", reason="silent for 40 s"), RunData())) == "⚠ silent for 40 s"


def test_faults_come_by_severity_with_their_groups_and_hints():
    data = RunData()
    data.feed({"k": "health", "code": "plateau", "level": "info", "hint": "over"})
    data.feed({"k": "health", "code": "still", "level": "warning", "hint": "no update", "groups": ["a", "b"]})
    data.feed({"k": "health", "code": "grad_none", "level": "error", "hint": "detached", "groups": ["head"]})
    assert plain(lines(row(), data)).splitlines() == [
        "✗ grad_none (head): detached",
        "⚠ still (a, b): no update",
        "· plateau: over",
    ]


def test_what_the_events_say_replaces_the_summary_of_the_row():
    data = RunData()
    data.feed({"k": "health", "code": "still", "level": "info", "hint": "over"})
    listed = row(health={"still": {"level": "warning", "hint": "no update"}})
    assert plain(lines(listed, data)) == "· still: over"


def test_warnings_of_the_stage_and_the_first_nan_are_shown():
    data = RunData()
    data.feed({"k": "log", "level": "warning", "msg": "few rows"})
    data.feed({"k": "s", "step": 1200, "t": 1.0, "m": {"loss": "nan"}})
    assert plain(lines(row(), data)).splitlines() == ["⚠ few rows", "✗ NaN since step 1,200"]


def test_passed_checks_are_listed():
    data = RunData()
    data.feed({"k": "schema", "names": {}, "groups": [{"name": "a", "numel": 1}, {"name": "b", "numel": 1}]})
    data.feed({"k": "s", "step": 1, "t": 1.0, "m": {"loss": 1.0}})
    data.feed({"k": "grad", "step": 1, "t": 1.0, "g": [1.0, 0.0], "total": 1.0})
    assert plain(lines(row(), data)) == "✓ loss finite   · grads reach 1/2 groups"
    data.feed({"k": "grad", "step": 2, "t": 1.0, "g": [1.0, 0.5], "total": 1.0})
    assert "✓ grads reach 2/2 groups" in plain(lines(row(), data))


def test_the_gate_with_the_lowest_entropy_stands_for_all():
    data = RunData()
    data.gates.layers["a"] = Layer(np.ones((2, 4)), [1.0], [[0.5, 0.5]], [0.69])
    data.gates.layers["b"] = Layer(np.ones((2, 4)), [1.0], [[0.9, 0.1]], [0.1])
    assert plain(lines(row(), data)) == "✓ gate entropy .10/.69  load cv .80  dead 0/4"
    data.gates.layers["a"].dead = frozenset({1})
    assert plain(lines(row(), data)).startswith("⚠ gate entropy") and "dead 1/4" in plain(lines(row(), data))


def test_long_hints_wrap_and_events_that_were_not_understood_are_counted():
    data = RunData()
    assert "nothing reported yet" in plain(render(row(), data, 40, 6))
    data.unread = 3
    data.feed({"k": "health", "code": "still", "level": "warning", "hint": "word " * 20})
    text = plain(render(row(), data, 40, 8))
    assert "3 events not understood" in text and text.count("word word") >= 3


def test_a_training_whose_every_step_is_cut_is_warned_of():
    data = RunData()
    data.gradients.schema([{"name": "a", "numel": 1}])
    for _ in range(30):
        data.gradients.feed({"step": 1, "g": [1.0], "total": 2.0, "clip": 1.0, "clipped": True})
    assert "⚠ clip: 100% of the gradients were cut to 1" in plain(lines(row(), data))
