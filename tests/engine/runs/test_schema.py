import json
import re
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RunError
from engine.runs.identity import Identity
from engine.runs.schema import Exit, Meta, Process, QueueOverride, RunInfo, Slots, Summary, begin_attempt, new_id

ME = Identity("host", "boot", 7, "42")
INFO = RunInfo(
    id="student-20260101-000000-abcd",
    stage="student",
    experiment="demo",
    seed=0,
    fingerprint="ff",
    inputs={"data": "data-20260101-000000-abcd"},
    argv=["engine", "run", "student.dropout=0.5"],
    git={"sha": "a" * 40, "dirty": True},
    environment={"python": "3.11.7", "packages": {"torch": "2.13.0"}},
    host="host",
    created=1767225600.25,
    cwd="/somewhere",
    slots=Slots("gpu", 2),
    sbatch=["--gpus=1"],
)
SUMMARY = Summary(
    attempt=2,
    process=ME,
    started=1.0,
    hb=2.0,
    phase="train",
    step=3,
    total=4,
    epoch=0.5,
    rate=10.0,
    eta=1.0,
    best={"loss": {"v": 0.5, "step": 3}},
    last={"loss": 0.5},
    health={"slow": {"level": "info"}},
    facts={"items": 12, "name": "x"},
    ended="done",
)
RECORDS = [
    INFO,
    Process(attempt=2, supervisor=ME, phase="running", t=1.5, stage=ME, argv=["a"]),
    Process(attempt=1, supervisor=ME, phase="waiting", t=1.5),
    Exit(attempt=1, code=None, signal=9, by="self", reason="x", wall=1.5, max_rss=1, oom=True, t=2.0),
    SUMMARY,
    Meta(tags=["a"], note="line\nline", pinned=True),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_record_comes_back_as_it_was_written(tmp_path: Path, record: Any) -> None:
    record.write(tmp_path)
    assert type(record).read(tmp_path) == record
    assert json.loads(next(tmp_path.glob("*.json")).read_text())["v"] == 1


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_fields_of_a_later_version_are_ignored(tmp_path: Path, record: Any) -> None:
    record.write(tmp_path)
    path = next(tmp_path.glob("*.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"later": 1}))
    assert type(record).read(tmp_path) == record


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: "", lambda text: "[]"])
@pytest.mark.parametrize("record", RECORDS[1:5], ids=lambda record: type(record).__name__)
def test_a_damaged_record_of_a_process_is_none(tmp_path: Path, record: Any, damage: Callable[[str], str]) -> None:
    record.write(tmp_path)
    path = next(tmp_path.glob("*.json"))
    path.write_text(damage(path.read_text()))
    assert type(record).read(tmp_path) is None


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_field_of_another_type_or_none_at_all_never_gets_in(tmp_path: Path, record: Any) -> None:
    record.write(tmp_path)
    path = next(tmp_path.glob("*.json"))
    whole = json.loads(path.read_text())
    for field in fields(record):
        for value in ([[1]], {"x": {}}):
            path.write_text(json.dumps(whole | {field.name: value}))
            try:
                read = type(record).read(tmp_path)
            except RunError:
                continue
            again = asdict(read)[field.name] if read is not None else None
            assert isinstance(again, type(None) | type(whole[field.name])), field.name


def test_numbers_that_json_lacks_survive_a_summary(tmp_path: Path) -> None:
    summary = Summary(attempt=1, process=ME, started=1.0, hb=2.0, rate=float("inf"), last={"loss": float("nan")})
    summary.write(tmp_path)
    read = Summary.read(tmp_path)
    assert read is not None
    assert (read.rate, read.last["loss"] != read.last["loss"]) == (float("inf"), True)


def test_a_missing_run_and_a_damaged_run_are_different_errors(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run\nSee all runs with: engine runs"):
        RunInfo.read(tmp_path)
    (tmp_path / "run.json").write_text('{"id": "x"')
    with pytest.raises(RunError, match="cannot be read\nRemove the folder"):
        RunInfo.read(tmp_path)
    (tmp_path / "run.json").write_text('{"id": "x"}')
    with pytest.raises(RunError, match="lacks a field"):
        RunInfo.read(tmp_path)


def test_a_new_run_has_no_notes(tmp_path: Path) -> None:
    assert Meta.read(tmp_path) == Meta()
    (tmp_path / "meta.json").write_text("garbage")
    assert Meta.read(tmp_path) == Meta()


def test_a_persons_changes_to_a_waiting_run_are_kept_and_damaged_ones_ignored(tmp_path: Path) -> None:
    assert QueueOverride.read(tmp_path) == QueueOverride()
    changed = QueueOverride(position=12.5, paused=True)
    changed.write(tmp_path)
    assert QueueOverride.read(tmp_path) == changed
    file = tmp_path / "control" / "queue.json"
    assert json.loads(file.read_text()) == {"place": 12.5, "paused": True, "v": 1}
    file.write_text('{"place": "soon", "paused": true}')
    assert QueueOverride.read(tmp_path) == QueueOverride(paused=True)
    file.write_text('{"place": 12.5, "paused": "no"}')
    assert QueueOverride.read(tmp_path) == QueueOverride()


def test_an_id_is_the_stage_the_utc_second_and_four_digits() -> None:
    assert re.fullmatch(r"student-20010909-014640-[0-9a-f]{4}", new_id("student", 1_000_000_000.9))
    assert len({new_id("data", 0.0) for _ in range(50)}) > 40


def test_a_later_attempt_keeps_the_earlier_end_and_drops_its_requests(tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    begin_attempt(tmp_path, 1)  # no end to keep, and requests of a run that has not begun stay
    assert (tmp_path / "control").exists()
    end = Exit(attempt=3, code=1, signal=None, by="self", reason="x", wall=1.5, max_rss=1, oom=False, t=2.0)
    end.write(tmp_path)
    begin_attempt(tmp_path, 4)
    assert not (tmp_path / "control").exists()
    assert Exit.read(tmp_path) is None
    assert json.loads((tmp_path / "exit-3.json").read_text())["reason"] == "x"
