"""Progress of runs in a terminal and elsewhere."""

import io
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.commands import follow as following
from engine.commands.follow import follow
from engine.jobs.store import Entry, Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def planned(store: Store) -> Path:
    return store.create(RunInfo(new_id("student"), "student", "test", 1, "0" * 16), "")


@pytest.mark.parametrize(("out", "terminal"), [(io.StringIO(), False), (Terminal(), True)])
def test_following_ends_when_every_run_has_ended(tmp_path: Path, out: io.StringIO, terminal: bool) -> None:
    store = Store(tmp_path)
    folder = planned(store)
    with Run.open(folder) as run:
        run.log("warning", "too few items")
    (entry,) = follow(store, [folder.name], out)
    assert entry.state == "DONE"
    assert ("\r" in out.getvalue()) is terminal
    assert out.getvalue().splitlines()[-1] == "  ⚠ too few items" and out.getvalue().endswith("\n")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_line_is_printed_when_an_evaluation_is_new_and_overwritten_in_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    store, folder = Store(tmp_path), planned(Store(tmp_path))
    monkeypatch.setenv("COLUMNS", "60")
    out = Terminal() if terminal else io.StringIO()
    polls, stack = iter(range(100)), ExitStack()

    def work(seconds: float) -> None:
        """What happens between two polls: progress only, an evaluation, the end."""
        poll = next(polls)
        run.progress(poll, 9, "train", rate=1.0)
        if poll == 1:
            run.evaluation(5, {"val_recall@10": 0.25}, best=True)
            run.note(parameters=1)
        if poll == 2:
            stack.close()

    with stack:
        run = stack.enter_context(Run.open(folder))
        run.note(parameters=1)
        monkeypatch.setattr(following.time, "sleep", work)
        follow(store, [folder.name], out)
    if terminal:
        frames = out.getvalue().split("\r\x1b[K")[1:]
        assert len(frames) == 4 and all(len(frame) < 60 for frame in frames[:-1])
    else:
        lines = out.getvalue().splitlines()
        assert len(lines) == 3 and "0.2500" not in lines[0] and "0.2500" in lines[1] and "DONE" in lines[2]


@pytest.mark.parametrize(("every", "lines"), [(0.0, 4), (60.0, 2)])
def test_a_line_without_news_is_printed_when_the_last_one_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: float, lines: int
) -> None:
    store, out = Store(tmp_path), io.StringIO()
    folder, polls, stack = planned(store), iter(range(100)), ExitStack()
    monkeypatch.setattr(following, "LINE_EVERY", every)
    monkeypatch.setattr(following.time, "sleep", lambda seconds: stack.close() if next(polls) == 2 else None)
    with stack:
        stack.enter_context(Run.open(folder)).note(parameters=1)
        follow(store, [folder.name], out)
    assert len(out.getvalue().splitlines()) == lines


def test_a_run_that_waits_is_not_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, out = Store(tmp_path), io.StringIO()
    folder = planned(store)
    states: list[str] = []

    def finish(seconds: float) -> None:
        entry: Entry = store.entry(folder)
        states.append(entry.state)
        assert out.getvalue() == ""
        with Run.open(folder):
            pass

    monkeypatch.setattr(following.time, "sleep", finish)
    follow(store, [folder.name], out)
    assert states == ["WAITING"]
