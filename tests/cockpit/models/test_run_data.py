"""Events become curves, groups and gates; a resumed attempt replaces what it does again."""

import math

from cockpit.models.gradients import HIGH, LOW, NAN, NONE, OK, ZERO
from cockpit.models.run_data import TOTAL, WARNINGS, RunData
from engine.runs.reader import Tail


def read(folder):
    """Everything that the writer wrote, through the reader."""
    data, tail = RunData(), Tail(folder / "events.jsonl")
    for event in tail.read():
        data.feed(event)
    assert tail.bad == 0
    return data


def test_a_training_written_by_the_engine_is_read_whole(maker):
    data = read(maker.trained(maker.planned(), gates=True, end=""))
    assert data.series["loss"].count == 20 and data.series["val_recall@10"].count == 10
    assert data.series[TOTAL].count == 20 and data.total == 200
    assert [group.name for group in data.gradients.groups()] == ["embedding", "blocks", "output"]
    layer = data.gates.layers["layers.1"]
    assert layer.experts == 4 and not layer.dead and layer.load.tolist() == [0.4, 0.3, 0.2, 0.1]
    assert abs(layer.variation - 0.447) < 0.001
    assert data.schema["loss"]["goal"] == "min"
    assert data.best["val_recall@10"][1] == 200


def test_an_attempt_that_goes_on_replaces_what_it_does_again(maker):
    folder = maker.trained(maker.planned(), steps=100, end="")

    def again(run, tick):
        run.resumed(60)
        for step in (70, 80):
            tick()
            run.scalars(step, {"loss": 9.0})

    data = read(maker.reported(folder, again))
    assert data.series["loss"].steps.tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert data.series["loss"].values[-2:].tolist() == [9.0, 9.0]
    assert data.series["val_recall@10"].last_step == 60


def test_an_attempt_that_begins_anew_tells_the_whole_story(maker):
    folder = maker.trained(maker.planned(), steps=100, end="")

    def anew(run, tick):
        run.scalars(5, {"loss": 9.0})

    data = read(maker.reported(folder, anew))
    assert data.series["loss"].steps.tolist() == [5] and data.series["val_recall@10"].count == 0


def test_nan_is_a_value_and_its_first_step_is_known(maker):
    data = read(maker.trained(maker.planned(), nan_at=50, end=""))
    assert data.nan_since == 50 and math.isnan(data.series["loss"].values[-1])


def test_facts_of_a_gradient_and_what_the_watch_noted_differ(maker):
    def report(run, tick):
        run.describe({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1})
        run.gradients(1, 1.0, [None, 0.0, math.nan, 0.5, 0.001, 900.0], None, False)
        run.health("grad_none", "error", "none", ["a"])
        run.health("grad_small", "warning", "little", ["e"])
        run.health("explode", "warning", "much", ["d", "f"])
        run.health("explode", "warning", "much", ["f"])

    groups = read(maker.reported(maker.planned(), report)).gradients.groups()
    assert [group.verdict for group in groups] == [NONE, ZERO, NAN, OK, LOW, HIGH]
    assert [group.name for group in groups if group.noted] == ["a", "e", "f"]


def test_a_group_far_above_the_others_is_no_fault_by_itself(maker):
    def report(run, tick):
        run.describe({"lora_a": 1, "head": 1})
        run.gradients(1, 9.1, [0.0085, 9.1], None, False)

    groups = read(maker.reported(maker.planned("teacher"), report)).gradients.groups()
    assert [group.verdict for group in groups] == [OK, OK]


def test_a_fault_that_is_over_is_no_longer_shown_as_one(maker):
    def report(run, tick):
        run.describe({"a": 1})
        run.gradients(1, 1.0, [1.0], None, False)
        run.health("explode", "warning", "much", ["a"])
        run.health("explode", "info", "over", ["a"])

    assert read(maker.reported(maker.planned(), report)).gradients.groups()[0].verdict == OK


def test_the_next_attempt_begins_without_the_faults_of_the_one_before_it(maker):
    def report(run, tick):
        run.describe({"a": 1})
        run.gradients(1, 1.0, [1.0], None, False)
        run.health("explode", "warning", "much", ["a"])
        run.gate(1, "l", [[1.0] * 4, [0.0] * 4], [0.999, 0.001], 0.01)
        run.health("dead_expert", "warning", "no load", ["l e1"])

    folder = maker.reported(maker.planned(), report)
    assert set(read(folder).health) == {"explode", "dead_expert"}
    data = read(maker.reported(folder, lambda run, tick: run.resumed(1)))
    assert not data.health and data.gradients.groups()[0].verdict == OK and not data.gates.notes
    assert data.series[TOTAL].count == 1 and data.attempt == 2


def test_the_value_that_was_marked_best_is_kept_until_its_step_is_repeated():
    data = RunData()
    for step, value, best in ((1, 0.1, True), (2, 0.3, True), (3, 0.2, False)):
        data.feed({"k": "val", "step": step, "t": 1.0, "m": {"m": value}, "split": "validation", "best": best})
    assert data.best == {"m": (0.3, 2.0)}
    data.feed({"k": "start", "attempt": 2, "resumed_from": 1})
    assert data.best == {} and data.series["m"].steps.tolist() == [1]


def test_warnings_of_the_stage_are_kept_once_each_up_to_a_limit():
    data = RunData()
    for index in range(3 * WARNINGS):
        data.feed({"k": "log", "level": "warning" if index % 2 else "info", "msg": f"message {index}"})
    assert len(data.warnings) == WARNINGS and set(data.warnings.values()) == {"warning"}


def test_planned_steps_are_those_of_progress_in_steps_only():
    data = RunData()
    data.feed({"k": "prog", "step": 1, "t": 1.0, "total": 200, "phase": "training", "unit": "steps"})
    data.feed({"k": "prog", "step": 1, "t": 1.0, "total": 9, "phase": "ranking", "unit": "users"})
    assert data.total == 200


def test_clipping_is_counted(maker):
    def report(run, tick):
        run.describe({"a": 1})
        for step in range(4):
            tick()
            run.gradients(step, 2.0, [1.0], 1.0, step == 0)

    data = read(maker.reported(maker.planned(), report))
    assert data.gradients.clip_share == 0.25 and data.gradients.clip == 1.0


def test_a_dead_expert_is_one_that_the_watch_noted(maker):
    def report(run, tick):
        run.gate(1, "l", [[1.0] * 4, [0.0] * 4], [0.999, 0.001], 0.01)
        run.health("dead_expert", "warning", "no load", ["l e1"])
        run.health("gate_collapse", "warning", "one does it all", ["l"])

    layer = read(maker.reported(maker.planned(), report)).gates.layers["l"]
    assert layer.dead == {1} and layer.collapsed and layer.entropy == 0.01


def test_a_gate_event_that_contradicts_itself_is_counted_and_skipped():
    data = RunData()
    for broken in ({"mx": [1], "load": [1, 2]}, {"mx": [], "load": []}, {"mx": ["x"], "load": [1]}):
        data.feed({"k": "gate", "layer": "l", "step": 1, "t": 0, "c": "00", "ent": 1, "n": 1, **broken})
    data.feed({"k": "gate", "layer": "l", "step": 1, "t": 0, "c": "\x7f\x7f", "ent": 1, "n": 1, "mx": [1], "load": [1]})
    assert data.unread == 4 and not data.gates.layers


def test_norms_of_groups_over_time_are_rewound_with_the_run():
    data = RunData()
    for step in (10, 20, 30):
        data.feed({"k": "grad", "v": 1, "t": step, "q": step, "step": step, "total": 1.0, "g": [0.1, None]})
    data.feed({"k": "start", "v": 1, "t": 40, "q": 40, "attempt": 2, "resumed_from": 20})
    assert data.gradients.past.steps == [10, 20]
