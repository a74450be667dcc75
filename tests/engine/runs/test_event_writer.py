import errno
import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RunError
from engine.runs.event_writer import BURST_SECONDS, EventWriter
from engine.runs.events import KINDS, LINE_LIMIT, TEXT_LIMIT, fault


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def of_kind(path: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in lines(path) if event["k"] == kind]


def test_every_kind_is_written_as_the_table_says(tmp_path: Path) -> None:
    example = {int: 3, float: 0.5, str: "text", list: [1.0], dict: {"loss": 0.5}, bool: True}
    writer = EventWriter(tmp_path / "e")
    for kind in KINDS.values():
        fields = {name: example[types[0]] for name, types in (kind.needs | kind.may).items()}
        writer.write(kind.name, step=7 if kind.step else None, epoch=0.5, **fields)
    written = lines(tmp_path / "e")
    assert [event["k"] for event in written] == list(KINDS)
    assert [event["q"] for event in written] == list(range(len(KINDS)))
    assert [fault(event) for event in written] == [None] * len(KINDS)


def test_a_field_outside_of_the_table_is_refused(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "e")
    with pytest.raises(ValueError, match="los does not fit"):
        writer.write("s", step=1, los={})
    with pytest.raises(ValueError, match="step does not fit"):
        writer.write("s", m={})


def test_short_work_keeps_every_step(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "e", Clock())
    for step in range(BURST_SECONDS * 20):
        writer.write("s", step=step, m={"loss": 1.0})
    assert len(lines(tmp_path / "e")) == BURST_SECONDS * 20


def test_long_work_keeps_twenty_lines_a_second_and_the_newest_of_all(tmp_path: Path) -> None:
    clock = Clock()
    writer = EventWriter(tmp_path / "e", clock)
    for step in range(60_000):  # a minute at a thousand steps a second
        clock.now = 1000 + step / 1000
        writer.write("s", step=step, m={"loss": float(step)})
    writer.flush()
    steps = [event["step"] for event in lines(tmp_path / "e")]
    assert 60 * 20 <= len(steps) <= (60 + BURST_SECONDS) * 20 + 2
    assert steps == sorted(set(steps))
    assert steps[-1] == 59_999
    late = [step for step in steps if step > 30_000]
    assert max(after - before for before, after in pairwise(late)) <= 60  # evenly spread


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.rate is None])
def test_what_matters_is_never_thinned_out(tmp_path: Path, kind: str) -> None:
    writer = EventWriter(tmp_path / "e", Clock())
    example = {int: 3, str: "text", list: [1.0], dict: {"loss": 0.5}}
    fields = {name: example[types[0]] for name, types in KINDS[kind].needs.items()}
    for _ in range(1000):
        writer.write(kind, step=1, **fields)
    assert len(lines(tmp_path / "e")) == 1000


def test_layers_have_rates_of_their_own(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "e", Clock())
    for step in range(40):
        for layer in ("one", "two"):
            writer.write("gate", step=step, key=layer, layer=layer, c="", n=0.0, mx=[], ent=0.69, load=[0.5, 0.5])
    assert {event["layer"] for event in lines(tmp_path / "e")} == {"one", "two"}
    assert len(lines(tmp_path / "e")) == 80


def test_numbers_of_one_step_add_up_when_they_are_held_back(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "e", Clock())
    for step in range(BURST_SECONDS * 20):
        writer.write("s", step=step, m={"loss": 1.0})
    writer.write("s", step=500, m={"loss": 2.0})
    writer.write("s", step=500, m={"lr": 0.1})
    writer.flush()
    assert lines(tmp_path / "e")[-1]["m"] == {"loss": 2.0, "lr": 0.1}


def test_a_held_event_keeps_its_own_time(tmp_path: Path) -> None:
    clock = Clock()
    writer = EventWriter(tmp_path / "e", clock)
    for step in range(BURST_SECONDS * 20 + 1):
        writer.write("s", step=step, m={"loss": 1.0})
    clock.now += 100
    writer.flush()
    assert lines(tmp_path / "e")[-1]["t"] == 1000.0


def test_the_sequence_goes_on_in_a_later_attempt(tmp_path: Path) -> None:
    EventWriter(tmp_path / "e").write("start", attempt=1)
    EventWriter(tmp_path / "e").write("start", attempt=2)
    assert [event["q"] for event in lines(tmp_path / "e")] == [0, 1]


def test_a_half_written_last_line_does_not_swallow_the_next_event(tmp_path: Path) -> None:
    first = EventWriter(tmp_path / "e")
    first.write("start", attempt=1)
    with (tmp_path / "e").open("ab") as file:
        file.write(b'{"v":1,"t":1.0,"q":1,"k":"s","m":{"lo')
    EventWriter(tmp_path / "e").write("start", attempt=2)
    whole = (tmp_path / "e").read_bytes().splitlines()
    assert json.loads(whole[-1])["attempt"] == 2
    assert json.loads(whole[-1])["q"] == 1


def test_each_event_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    write: Callable[[int, bytes], int] = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: (written.append(data), write(handle, data))[1])
    writer = EventWriter(tmp_path / "e")
    writer.write("log", level="info", msg="x" * 100_000)
    assert [len(data.splitlines()) for data in written] == [1]
    assert len(written[0]) <= LINE_LIMIT
    assert len(lines(tmp_path / "e")[0]["msg"]) == TEXT_LIMIT


def test_the_longest_texts_fit_into_a_line_however_they_are_escaped(tmp_path: Path) -> None:
    EventWriter(tmp_path / "e").write("end", status="failed", reason="\x00" * 9999, trace="\x00" * 9999)
    assert (tmp_path / "e").stat().st_size < LINE_LIMIT


def test_an_event_that_is_too_long_for_a_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="longer than"):
        EventWriter(tmp_path / "e").write("s", step=1, m={f"metric {i}": 0.1 for i in range(10_000)})


def test_a_full_device_is_an_error_with_a_remedy() -> None:
    writer = EventWriter(Path("/dev/full"))
    with pytest.raises(RunError, match=r"/dev/full: cannot be written: No space left on device\n.*Make room"):
        writer.write("start", attempt=1)


def test_writing_goes_on_after_the_disk_took_half_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = EventWriter(tmp_path / "e")
    writer.write("start", attempt=1)
    write: Callable[[int, bytes], int] = os.write
    room = [20]

    def full(handle: int, data: bytes) -> int:
        taken = min(room[0], len(data))
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= taken
        return write(handle, data[:taken])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RunError):
        writer.write("start", attempt=2)
    room[0] = 10**6  # somebody made room
    writer.write("start", attempt=3)
    whole = (tmp_path / "e").read_bytes().splitlines()
    assert [json.loads(line)["attempt"] for line in (whole[0], whole[-1])] == [1, 3]
    assert len(whole) == 3
