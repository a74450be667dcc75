"""Processes belong to the run that named them or one of their parents."""

from cockpit.models.processes import ProcessSample, usages


def process(pid, parent=1, cpu=0.5, memory=50e6, started=100.0):
    return ProcessSample(pid, parent, f"program {pid}", "me", cpu, memory, started)


def test_children_count_for_the_run_of_their_parent():
    found = usages([process(10), process(11, 10, 0.25), process(12, 11, 0.25, started=90.0)], {10: "student-1"}, {})
    assert len(found) == 1 and found[0].run == "student-1" and found[0].pids == [10, 11, 12]
    assert (found[0].cpu, found[0].memory, found[0].started) == (1.0, 150e6, 90.0)


def test_runs_come_first_then_who_takes_most():
    processes = [process(2, cpu=0.1), process(3, cpu=2.0), process(10, cpu=0.2)]
    assert [usage.pids[0] for usage in usages(processes, {10: "student-1"}, {})] == [10, 3, 2]


def test_gpu_memory_finds_its_run_even_from_a_process_that_cannot_be_seen():
    found = usages([process(10), process(11, 10)], {10: "teacher-1"}, {11: 6e10, 999: 1e9})
    assert found[0].gpu == 6e10 and found[1].pids == [999] and found[1].gpu == 1e9 and not found[1].run


def test_processes_that_are_each_others_parents_end_the_search():
    assert [usage.run for usage in usages([process(5, 6), process(6, 5)], {}, {})] == ["", ""]


def test_what_takes_next_to_nothing_is_one_line():
    small = [process(pid, cpu=0.001, memory=1e6) for pid in range(20, 25)]
    found = usages([process(3), *small], {}, {})
    assert [len(usage.pids) for usage in found] == [1, 5] and found[1].memory == 5e6
    assert "5 processes" in found[1].command


def test_a_figure_that_is_not_known_is_not_zero():
    (usage,) = usages([process(3, cpu=None, memory=None)], {}, {})
    assert usage.cpu is None and usage.memory is None
