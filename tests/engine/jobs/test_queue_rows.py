"""Rows of the queue from records written by hand: order, position, reason and times of each run."""

from dataclasses import replace
from typing import Any

import pytest

from engine.jobs.queue import SlotUse, Waiting
from engine.jobs.queue_rows import QueueRow, RunFacts, expected_duration, queue_rows
from engine.runs.schema import QueueOverride

NOW = 1000.0


def run(name: str, state: str, **more: Any) -> RunFacts:
    return RunFacts(name, "student", "demo", state, **more)


def waits(name: str, joined: float, *, paused: bool = False, count: int = 1, device: str = "cpu") -> Waiting:
    return Waiting(name, "box", device, count, joined, QueueOverride(paused=paused))


def rows(runs: list[RunFacts], uses: list[SlotUse], queue: list[Waiting], **more: Any) -> dict[str, QueueRow[RunFacts]]:
    found = queue_rows({one.id: one for one in runs}, uses, sorted(queue, key=lambda one: one.order), NOW, **more)
    return {row.run.id: row for row in found}


WORK = SlotUse("box", "cpu", 0, "work")
FREE = SlotUse("box", "gpu", 0, "")


def test_runs_at_work_come_first_then_each_queue_in_order_then_runs_without_a_queue() -> None:
    runs = [run("slurm", "QUEUED"), run("b", "QUEUED"), run("a", "QUEUED"), run("work", "RUNNING"), run("old", "DONE")]
    found = rows(runs, [WORK], [waits("a", 1.0), waits("b", 2.0)])
    assert list(found) == ["work", "a", "b", "slurm"]
    assert [row.position for row in found.values()] == [None, 1, 2, None]
    assert [row.slot for row in found.values()] == ["cpu 0", "cpu", "cpu", ""]


def test_every_device_counts_its_own_positions() -> None:
    found = rows(
        [run("a", "QUEUED"), run("b", "QUEUED"), run("c", "QUEUED")],
        [],
        [waits("a", 1.0), waits("b", 2.0, device="gpu"), waits("c", 3.0, device="gpu")],
    )
    assert [found[name].position for name in "abc"] == [1, 1, 2]


def test_the_reason_names_the_runs_before_it_or_those_on_its_slots() -> None:
    runs = [run(name, "QUEUED") for name in ("a", "b", "c", "wide")] + [run("work", "RUNNING")]
    queue = [waits("a", 1.0), waits("b", 2.0, paused=True), waits("c", 3.0), waits("wide", 4.0, count=2)]
    found = rows(runs, [WORK, FREE], queue)
    assert found["a"].reason == "next for the cpu slot, taken by work"
    assert (found["b"].reason, found["b"].paused) == ("paused by a person", True)
    assert found["c"].reason == "for a cpu slot, 1 before it"  # a paused run is not before anybody
    assert found["wide"].reason == "for one of 2 cpu slots, 2 before it"
    elsewhere = [replace(WORK, slot=1), replace(WORK, host="other")]  # slots that the run may not use
    assert rows(runs, elsewhere, queue)["a"].reason == "next for the cpu slot"
    alone = rows([runs[3]], [], [queue[3]])
    assert alone["wide"].reason == "next for the one of 2 cpu slots"


def test_the_reason_names_runs_as_the_caller_wants() -> None:
    found = rows([run("a", "QUEUED"), run("work", "RUNNING")], [WORK], [waits("a", 1.0)], name=lambda one: one.id * 2)
    assert found["a"].reason.endswith("taken by workwork")


def test_a_run_without_its_inputs_names_those_that_are_not_done() -> None:
    inputs = {"data": "data", "student": "work", "teacher": "removed"}
    runs = [run("data", "DONE"), run("work", "RUNNING"), run("next", "WAITING", inputs=inputs, reason="for its inputs")]
    assert rows(runs, [], [waits("next", 1.0)])["next"].reason == "for work"
    assert rows(runs[2:], [], [waits("next", 1.0)])["next"].reason == "for its inputs"  # all of them were removed


@pytest.mark.parametrize("state", ["RUNNING", "STALLED", "QUEUED"])
def test_a_run_outside_of_every_queue_keeps_the_reason_of_its_status(state: str) -> None:
    assert rows([run("a", state, reason="as Slurm job 7")], [], [])["a"].reason == "as Slurm job 7"


def test_times_follow_from_the_slot_the_inputs_and_earlier_durations() -> None:
    done = run("done", "DONE", wall=60.0)
    work = run("work", "RUNNING", eta=10.0)
    late = run("late", "WAITING", inputs={"student": "next"})
    found = rows([done, work, run("next", "QUEUED"), late], [WORK], [waits("next", 2.0), waits("late", 1.0)])
    assert [(name, row.begins, row.ends) for name, row in found.items()] == [
        ("work", 0.0, 10.0),
        ("late", 70.0, 130.0),
        ("next", 10.0, 70.0),
    ]


@pytest.mark.parametrize(
    ("started", "wall", "ends"),
    [(NOW - 20, 60.0, 40.0), (NOW - 90, 60.0, 0.0), (NOW + 600, 60.0, 60.0), (None, 60.0, 60.0), (NOW, None, None)],
)
def test_a_run_that_reports_no_eta_ends_after_the_rest_of_the_expected_duration(
    started: float | None, wall: float | None, ends: float | None
) -> None:
    runs = [run("done", "DONE", wall=wall), run("work", "RUNNING", started=started)]
    assert rows(runs, [WORK], [])["work"].ends == ends


def test_the_expected_duration_is_the_median_of_the_latest_runs_of_the_same_experiment() -> None:
    walls = [900.0, 1.0, 2.0, 3.0, 4.0, 50.0]
    done = [run(str(index), "DONE", created=float(index), wall=wall) for index, wall in enumerate(walls)]
    one = run("one", "QUEUED")
    assert expected_duration(one, done) == 3.0
    other = RunFacts("other", "data", "new", "DONE", created=9.0, wall=1.0)
    assert expected_duration(replace(one, experiment="new"), [*done, other]) == 3.0
    assert expected_duration(replace(one, stage="teacher"), done) is None
