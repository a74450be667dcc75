import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RunError
from engine.jobs import store as module
from engine.jobs.environment import stage_environment
from engine.jobs.state import State
from engine.jobs.store import Store
from engine.runs.files import hold
from engine.runs.identity import Identity
from engine.runs.run import Run
from engine.runs.schema import Exit, Meta, RunInfo, Summary

INFO = RunInfo(id="student-1", stage="student", experiment="x", seed=1, fingerprint="f")


def finish(folder: Path, code: int | None = 0, signal: int | None = None, by: str = "self") -> None:
    Exit(attempt=1, code=code, signal=signal, by=by, reason="", wall=1, max_rss=1, oom=False, t=1.0).write(folder)


def test_a_new_run_is_whole(tmp_path: Path) -> None:
    folder = Store(tmp_path / "runs").create(INFO, "seed: 1\n")
    assert folder == tmp_path / "runs" / "student-1"
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "run.json"]
    assert RunInfo.read(folder) == INFO
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["student-1"]


def test_a_name_is_given_to_one_of_many_who_want_it(tmp_path: Path) -> None:
    store, won, lost = Store(tmp_path), [], []

    def claim(number: int) -> None:
        try:
            won.append(store.create(replace(INFO, seed=number), ""))
        except RunError as error:
            lost.append(error)

    threads = [threading.Thread(target=claim, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert [entry.id for entry in store.scan()] == ["student-1"]


def test_runs_are_listed_oldest_first_and_damaged_ones_set_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.scan() == []
    for name, created in [("b", 1.0), ("a", 2.0), ("c", 3.0)]:
        store.create(replace(INFO, id=name, created=created), "")
    (tmp_path / "c" / "run.json").write_text('{"id": "c", "sta')
    (tmp_path / "stray").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert [entry.id for entry in store.scan()] == ["b", "a"]
    assert store.unreadable == {"c": "the run's record cannot be read", "stray": "is not a run"}


def test_a_thousand_runs_are_listed_within_a_second_of_cpu(tmp_path: Path) -> None:
    store = Store(tmp_path)
    me = Identity.of(os.getpid())
    summary = Summary(attempt=1, process=me, started=1.0, hb=2.0, last={f"m{i}": 0.1 for i in range(20)})
    first = store.create(INFO, "")
    summary.write(first, sync=False)
    finish(first)
    files = list(first.iterdir())
    for number in range(1000):
        folder = tmp_path / f"student-x{number:04}"
        folder.mkdir()
        for file in files:
            os.link(file, folder / file.name)
    spent = time.process_time()
    entries = store.scan()
    assert all(entry.summary and not entry.meta.pinned for entry in entries)
    spent = time.process_time() - spent
    assert (len(entries), {entry.state for entry in entries}) == (1001, {State.DONE})
    assert spent < 1.0


# -- find


@pytest.fixture
def three(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    names = ["data-20260101-000000-aa11", "student-20260101-000001-bb22", "student-20260101-000002-cc33"]
    for created, name in enumerate(names):
        store.create(replace(INFO, id=name, stage=name.split("-")[0], created=float(created)), "")
    return store


@pytest.mark.parametrize("name", ["student-20260101-000001-bb22", "bb22", "000001", "student-20260101-000001"])
def test_a_run_is_found_by_any_part_that_no_other_has(three: Store, name: str) -> None:
    assert three.find(name).id == "student-20260101-000001-bb22"


def test_last_is_the_newest(three: Store) -> None:
    assert three.find("last").id == "student-20260101-000002-cc33"


def test_an_ambiguous_name_lists_what_it_may_be(three: Store) -> None:
    with pytest.raises(RunError, match=r"'student' may be any of 2 runs\nSay which: .*bb22, .*cc33"):
        three.find("student")


@pytest.mark.parametrize(
    ("name", "meant"), [("studnet-20260101-000001-bb22", "student-20260101-000001-bb22"), ("lats", "last")]
)
def test_a_misspelt_name_is_answered_with_the_closest_one(three: Store, name: str, meant: str) -> None:
    with pytest.raises(RunError, match=f"there is no run '{name}'\nDid you mean {meant}\\?"):
        three.find(name)


@pytest.mark.parametrize("name", ["last", "", "x"])
def test_nothing_is_found_where_nothing_is(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="See all with: engine runs"):
        Store(tmp_path / "missing").find(name)


# -- plan


def test_only_one_process_plans_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "runs")
    held = f"""
import sys
from pathlib import Path
from engine.jobs.store import Store
with Store(Path({str(store.root)!r})).planning():
    print("held", flush=True)
    sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=stage_environment(os.environ)
    )
    with other:
        assert other.stdout and other.stdout.readline() == b"held\n"
        monkeypatch.setattr(module, "PATIENCE", 0.0)
        with pytest.raises(RunError, match="another process has been planning"), store.planning():
            pass
        monkeypatch.undo()
        other.kill()  # a planner that dies gives the right back
    with store.planning():
        pass


def test_what_a_creator_that_died_left_behind_is_swept_up(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name, age in [(".new-a-1", 7200), (".gone-b-1", 7200), (".new-c-1", 0), ("kept", 7200)]:
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    with store.planning():
        pass
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [".new-c-1", "kept"]


# -- what people say, and remove


def test_tags_and_notes_come_back_cleaned(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.create(INFO, "")
    Meta(tags=["good\x1b[2J"], note="first\nsecond", pinned=True).write(folder)
    assert store.find("last").meta == Meta(tags=["good"], note="first\nsecond", pinned=True)


def test_a_finished_run_can_be_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store.create(INFO, ""))
    store.remove(store.find("last"))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_others_need_is_only_removed_by_force(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store.create(replace(INFO, id="data-1", stage="data"), ""))
    finish(store.create(replace(INFO, inputs={"data": "data-1"}), ""))
    with pytest.raises(RunError, match=r"data-1 is needed by student-1\nRemove those first.*--force"):
        store.remove(store.find("data-1"))
    assert store.find("data-1").state is State.DONE
    store.remove(store.find("data-1"), force=True)
    assert [entry.id for entry in store.scan()] == ["student-1"]


def test_a_run_at_work_is_not_removed_even_by_force(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.create(INFO, "")
    with Run.open(folder), pytest.raises(RunError, match="is at work\nEnd it first: engine stop student-1"):
        store.remove(store.find("last"), force=True)
    store.remove(store.find("last"))


def test_a_run_that_is_just_being_taken_up_is_not_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.create(INFO, "")
    finish(folder, code=1)
    lock = hold(folder / "lock")  # as a supervisor does before it records anything
    assert lock is not None
    with pytest.raises(RunError, match="is at work"):
        store.remove(store.find("last"))
    os.close(lock)
    store.remove(store.find("last"))


# -- steer


def test_only_a_run_at_work_can_be_stopped(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store.create(INFO, ""))
    with pytest.raises(RunError, match="student-1 is not at work, it is DONE"):
        store.stop(store.find("last"))


def test_a_done_run_is_not_resumed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    finish(store.create(INFO, ""))
    with pytest.raises(RunError, match=r"nothing to go on with\n.*engine run student --again"):
        store.resume(store.find("last"))


def test_a_run_at_work_is_not_resumed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Run.open(store.create(INFO, "")), pytest.raises(RunError, match="at work on this run already"):
        store.resume(store.find("last"))


def test_a_request_reaches_a_run_that_was_started_by_hand(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with Run.open(store.create(INFO, "")) as run:
        store.stop(store.find("last"), "evaluation")
        deadline = time.monotonic() + 10
        while not run.stop_after_evaluation:
            assert time.monotonic() < deadline
        assert not run.stop_requested
        store.stop(store.find("last"))
        assert run.stop_requested


def test_hostile_names_are_harmless_when_they_are_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.create(replace(INFO, experiment="a\x1b]0;owned\x07b\u202e", argv=["\x9b2J"]), "")
    record = json.loads((folder / "run.json").read_text())
    assert "\x1b" in record["experiment"]
    entry: Any = store.find("last")
    assert (entry.info.experiment, entry.info.argv) == ("ab\ufffd", [""])
