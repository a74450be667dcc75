"""Small schedules worked out by hand."""

import time

from engine.jobs.forecast import Job, forecast

CPU = ("box", "cpu")


def test_runs_of_one_slot_follow_each_other() -> None:
    jobs = [Job("a", 10.0, CPU, slot=0, at_work=True), Job("b", 5.0, CPU), Job("c", 7.0, CPU)]
    assert forecast(jobs) == {"a": (0.0, 10.0), "b": (10.0, 15.0), "c": (15.0, 22.0)}


def test_a_run_begins_when_its_inputs_and_a_slot_are_there_and_others_pass_it_meanwhile() -> None:
    jobs = [
        Job("data", 4.0, CPU, slot=0, at_work=True),
        Job("teacher", 9.0, CPU, inputs=("student", "gone")),
        Job("student", 6.0, CPU, inputs=("data",)),
        Job("other", 1.0, CPU),
    ]
    times = forecast(jobs)
    assert times["student"] == (4.0, 10.0)  # its turn is before other's
    assert times["teacher"] == (10.0, 19.0) and times["other"] == (19.0, 20.0)


def test_two_slots_work_side_by_side() -> None:
    jobs = [Job(name, 10.0, CPU, count=2) for name in "abc"]
    assert forecast(jobs) == {"a": (0.0, 10.0), "b": (0.0, 10.0), "c": (10.0, 20.0)}


def test_a_job_of_unknown_duration_has_no_end_and_what_follows_has_no_times() -> None:
    jobs = [Job("a", None, CPU, slot=0, at_work=True), Job("b", 5.0, CPU), Job("free", 2.0)]
    assert forecast(jobs) == {"a": (0.0, None), "b": (None, None), "free": (0.0, 2.0)}


def test_a_paused_run_is_passed() -> None:
    jobs = [Job("a", 3.0, CPU, paused=True), Job("b", 5.0, CPU), Job("c", 1.0, CPU, inputs=("a",))]
    assert forecast(jobs) == {"a": (None, None), "b": (0.0, 5.0), "c": (None, None)}


def test_four_hundred_runs_are_forecast_within_a_tenth_of_a_second() -> None:
    jobs = [Job(f"r{i}", 10.0, CPU, inputs=(f"r{i - 1}",) if i % 3 else ()) for i in range(400)]
    start = time.process_time()
    times = forecast(jobs)
    assert time.process_time() - start < 0.1
    assert times["r399"] == (3990.0, 4000.0)


def test_a_run_of_another_device_begins_beside_it_and_lets_others_begin_in_turn() -> None:
    gpu = ("box", "gpu")
    jobs = [Job("a", 10.0, CPU), Job("b", 5.0, CPU, inputs=("g",)), Job("c", 1.0, CPU), Job("g", 2.0, gpu)]
    assert forecast(jobs) == {"a": (0.0, 10.0), "g": (0.0, 2.0), "b": (10.0, 15.0), "c": (15.0, 16.0)}
