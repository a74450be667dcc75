"""A search goes on after any interrupted write, loses no trial whose result is whole, and refuses other damage."""

import errno
from pathlib import Path

import pytest

from engine.errors import RunError
from engine.experiments.trial_log import repair
from engine.experiments.tune import DONE, Search, space

SPACE = space(["student.dropout=0.1..0.5", "student.batch=64,128"])
RETRY = b'{"op_code":0,"worker_id":"another","study_name":"try","directions":[2]}\n'
NEXT = b'{"op_code":4,"worker_id":"another","study_id":0,"datetime_start":"2026-01-01T00:00:00+00:00"}\n'


def opened(path: Path) -> Search:
    return Search(path, {"words": "student"}, SPACE, "max", seed=4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three trials with their results, as Optuna writes them."""
    path = tmp_path_factory.mktemp("search") / "try.journal"
    search = opened(path)
    for value in (0.1, 0.3, 0.2):
        search.tell(search.next(), value, ["student-1"])
    return path.read_bytes()


@pytest.mark.parametrize("appended", [b"", RETRY, RETRY + NEXT, RETRY + NEXT[:30]], ids=["", "retry", "next", "torn"])
def test_a_write_interrupted_at_any_byte_leaves_the_whole_lines(whole: bytes, appended: bytes, tmp_path: Path) -> None:
    path = tmp_path / "try.journal"
    for size in [*range(1, 40), *range(40, len(whole), 17)]:
        if whole[size - 1 : size] == b"\n":
            continue
        path.write_bytes(whole[:size] + appended)
        assert repair(path), size
        assert path.read_bytes() == whole[: whole.rfind(b"\n", 0, size) + 1], size
        assert repair(path) == ""


def test_a_repaired_search_knows_the_finished_trials_and_goes_on(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "try.journal"
    lines = whole.splitlines(keepends=True)
    for known in range(0, len(lines), 3):
        path.write_bytes(b"".join(lines[:known]) + lines[known][:-7] + RETRY)
        repair(path)
        search = opened(path)
        values = [trial.value for trial in search.trials() if trial.state == DONE]
        assert values == [0.1, 0.3, 0.2][: len(values)]
        assert len(values) == sum(b'"op_code":6' in line for line in lines[:known])
        search.tell(search.next(), 0.4, [])
        best = opened(path).best()
        assert best is not None
        assert best.value == 0.4


@pytest.mark.parametrize("tail", [b"\0" * 40, b"\xff\xfe", b"[1]\n", b"\n", b"12", b"{}\n"])
def test_a_last_line_that_is_no_record_is_cut(whole: bytes, tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "try.journal"
    path.write_bytes(whole + tail)
    assert f"{len(tail)} bytes" in repair(path)
    assert path.read_bytes() == whole


def test_a_whole_search_stays_as_it_is(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "try.journal"
    assert repair(path) == ""
    assert not path.exists()
    path.write_bytes(whole)
    assert repair(path) == ""
    assert path.read_bytes() == whole


@pytest.mark.parametrize(("joined", "after"), [(b"\n", 1), (b"\n", 9), (RETRY, 2), (RETRY, 9)])
def test_damage_within_a_search_is_refused_and_stays_as_it_is(
    whole: bytes, joined: bytes, after: int, tmp_path: Path
) -> None:
    path = tmp_path / "try.journal"
    lines = whole.splitlines(keepends=True)
    lines[-1 - after] = lines[-1 - after][:-9] + joined
    path.write_bytes(b"".join(lines))
    with pytest.raises(RunError, match=f"line {len(lines) - after} of {len(lines)}") as caught:
        repair(path)
    assert str(path) in str(caught.value)
    assert "move it away" in caught.value.remedy
    assert path.read_bytes() == b"".join(lines)


@pytest.mark.parametrize("line", [b'{"op_code":99,"worker_id":"a"}', b'{"op_code":5}', b'{"op_code":0,"worker_id":1}'])
def test_records_that_cannot_be_replayed_are_one_message(whole: bytes, line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "try.journal"
    path.write_bytes(line + b"\n" + whole)
    assert repair(path) == ""
    with pytest.raises(RunError, match="trials of the search cannot be read"):
        opened(path)


@pytest.mark.parametrize("call", ["next", "tell"])
def test_a_disk_that_refuses_a_trial_is_named(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from optuna.storages.journal import JournalFileBackend

    search = opened(tmp_path / "try.journal")
    trial = search.next() if call == "tell" else None

    def full(backend: object, logs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(JournalFileBackend, "append_logs", full)
    with pytest.raises(RunError, match="No space left on device"):
        search.tell(trial, 0.1, []) if trial else search.next()
