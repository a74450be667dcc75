from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import RunError
from engine.jobs.store import Store
from engine.mirror.copying import Copy, copy_once, follow
from engine.mirror.mirrored_run import MirroredRun, RunEnd, results
from engine.mirror.points import Point
from engine.runs.run import Run
from tests.engine.conftest import World
from tests.engine.mirror.conftest import first
from tests.fixtures.event_runs import attempt, new_run


class Memory:
    """A target in memory; it refuses as often as a test wants."""

    every = 0.0

    def __init__(self, refusals: int = 0) -> None:
        self.position, self.ended, self.refusals = -1, "", refusals
        self.points: list[Point] = []
        self.ends: list[RunEnd] = []

    def write(self, points: list[Point], position: int, end: RunEnd | None) -> None:
        if self.refusals:
            self.refusals -= 1
            raise RunError("the server is gone")
        self.points += points
        self.position, self.ended = position, "" if end is None else end.name
        self.ends += [] if end is None else [end]


def losses(memory: Memory) -> list[int]:
    return [point.step for point in memory.points if getattr(point, "tag", "") == "train/loss"]


def test_a_run_is_followed_to_its_end_and_a_refusal_loses_nothing(store: Store) -> None:
    folder, memory, complaints = new_run(store), Memory(refusals=3), list[str]()
    steps = iter(range(1, 7))

    def report(run: Run) -> None:
        def pause() -> None:
            step = next(steps, None)
            if step is None:
                raise KeyboardInterrupt
            run.scalars(step, {"loss": 1 / step})

        with pytest.raises(KeyboardInterrupt):
            follow(
                store,
                lambda: [store.entry(folder)],
                lambda run: memory,
                lambda run, error: complaints.append(error.cause),
                False,
                pause,
            )

    attempt(folder, report)
    assert losses(memory) == [1, 2, 3, 4, 5, 6]
    assert complaints == ["the server is gone"]  # once for three refusals

    def no_pause() -> None:
        raise AssertionError("all runs have ended")

    follow(store, lambda: [store.entry(folder)], lambda run: memory, lambda run, error: None, False, no_pause)
    assert losses(memory) == [1, 2, 3, 4, 5, 6]
    assert [end.name for end in memory.ends] == ["DONE 1"]


def test_runs_that_begin_later_are_followed_too(store: Store) -> None:
    memories: dict[str, Memory] = {}
    rounds = iter([lambda: attempt(new_run(store), first)] * 2)

    def open_mirror(run: MirroredRun) -> Memory:
        return memories.setdefault(run.info.id, Memory())

    def pause() -> None:
        action: Callable[[], None] | None = next(rounds, None)
        if action is None:
            raise KeyboardInterrupt
        action()

    with pytest.raises(KeyboardInterrupt):
        follow(store, store.scan, open_mirror, lambda run, error: None, True, pause)
    assert [losses(memory) for memory in memories.values()] == [list(range(1, 11))] * 2


def test_a_target_with_a_pause_of_its_own_is_written_at_once_and_at_the_end(store: Store) -> None:
    folder, memory = new_run(store), Memory()
    memory.every = 3600.0

    def report(run: Run) -> None:
        copy = Copy(store, store.entry(folder), lambda run: memory)
        for step in range(1, 5):
            run.scalars(step, {"loss": 1.0})
            copy.advance()
        assert losses(memory) == [1]

    attempt(folder, report)
    copy_once(store, [store.entry(folder)], lambda run: memory, lambda run, points: None)
    assert losses(memory) == [1, 2, 3, 4]


def test_settings_are_those_of_the_run_and_of_what_it_was_made_from(world: World) -> None:
    world.evaluate("try", 1, "student.dropout=0.4", ranks=world.ranks(1))
    entries = {entry.info.stage: entry for entry in world.store.scan()}
    data, student, evaluation = (MirroredRun.of(entries[stage]).settings for stage in ("data", "student", "evaluate"))
    assert evaluation["student.dropout"] == student["student.dropout"] == 0.4
    assert "student.dropout" not in data and "teacher.epochs" not in evaluation
    assert (data["stage"], student["seed"]) == ("data", 1.0)
    assert not [name for name in evaluation if name.startswith(("launcher.", "trainer.", "search."))]


def test_results_of_an_evaluation_are_its_figures_with_intervals(world: World) -> None:
    run = world.evaluate("try", 1, ranks=world.ranks(1))
    found = results(world.store.find(run))
    for model in ("popularity", "student"):
        low, value, high = (found[f"result/{model}/ndcg@10{end}"] for end in (" low", "", " high"))
        assert low < value < high or model == "popularity"
        assert f"result/{model}/mrr" in found


def test_a_run_without_events_is_copied_as_what_it_is(store: Store, tmp_path: Path) -> None:
    memory = Memory()
    assert Copy(store, store.entry(new_run(store)), lambda run: memory).advance() == 0
    assert (memory.points, memory.ends) == ([], [])
