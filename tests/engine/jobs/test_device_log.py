"""The readings of a run: in its folder, within 200 kB however long it runs, and never its fault."""

import itertools
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.device_log import EVERY, LIMIT, DeviceLog, DeviceRecorder, thinned
from engine.runs.events import fault
from engine.runs.schema import DEVICES
from tests.fixtures.jobs import SLEEP, exit_of, stage_of, wait_until

MACHINE = {"cores": 2, "limit": 8e9, "gpus": [{"i": 0, "name": "H200", "mem": 150e9}]}


def reading(number: int) -> dict[str, Any]:
    gpu = {"i": 0, "busy": 0.987, "mem": 61_000_000_000.0 + number, "own": 60e9, "w": 412.5, "c": 54.0}
    return {"n": 3, "cpu": number / 7, "top": 0.98, "busy": 0.5, "mem": 2e9, "free": 1e12 - number, "gpus": [gpu]}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / DEVICES).read_text().splitlines()]


def test_a_long_run_keeps_its_whole_past_within_the_limit(tmp_path: Path) -> None:
    log, limit = DeviceLog(tmp_path, MACHINE, limit=20_000), 20_000
    for number in range(4000):
        log.add(reading(number))
        assert (tmp_path / DEVICES).stat().st_size <= limit + 400
    log.close()
    machine, *readings = lines(tmp_path)
    assert [fault(event) for event in (machine, *readings)] == [None] * (1 + len(readings))
    assert machine["k"] == "machine" and machine["every"] == log.every >= 64 * EVERY
    assert 20 < len(readings) < 120
    shown = [event["cpu"] * 7 for event in readings]
    assert shown == sorted(shown) and shown[0] < 64 and shown[-1] > 4000 - 2 * log.every
    gaps = {round(b - a) for a, b in itertools.pairwise(shown)}
    assert max(gaps) <= 2.1 * min(gaps), "the past is as dense as the present"
    sequence = [event["q"] for event in (machine, *readings)]
    assert sequence == sorted(set(sequence))


def test_a_day_of_eight_gpus_stays_below_the_limit_of_a_run(tmp_path: Path) -> None:
    assert LIMIT == 200_000
    log = DeviceLog(tmp_path, MACHINE)
    eight = reading(1) | {"gpus": [reading(1)["gpus"][0] | {"i": index} for index in range(8)]}
    for _ in range(4000):
        log.add(eight)
    log.close()
    assert (tmp_path / DEVICES).stat().st_size <= LIMIT + 2000


def test_a_resumed_run_continues_with_its_interval(tmp_path: Path) -> None:
    first = DeviceLog(tmp_path, MACHINE, limit=5_000)
    for number in range(100):
        first.add(reading(number))
    first.close()
    second = DeviceLog(tmp_path, MACHINE, limit=5_000)
    assert second.every == first.every > EVERY
    second.close()
    assert [event["k"] for event in lines(tmp_path)].count("machine") == 2


def test_readings_of_two_attempts_are_not_merged() -> None:
    def event(kind: str, number: int) -> dict[str, Any]:
        fields = {"n": number} if kind == "sys" else {"every": 2.0}
        return {"v": 1, "t": float(number), "q": number, "k": kind} | fields

    events = [event("machine", 0), event("sys", 1), event("machine", 2), event("machine", 3), event("sys", 4)]
    kept = thinned([*events, event("sys", 5), event("sys", 6)])
    assert [(one["k"], one["q"]) for one in kept] == [
        ("machine", 0),
        ("sys", 1),
        ("machine", 3),
        ("sys", 5),
        ("sys", 6),
    ]


def test_a_stage_that_has_just_ended_gives_no_reading(tmp_path: Path) -> None:
    class EndedReader(FailingReader):
        def read(self) -> dict[str, Any]:
            self.readings += 1
            if self.readings == 4:
                raise RuntimeError("the last one")
            return reading(self.readings) | {"n": self.readings % 2}

    ended: Any = EndedReader()
    recorder = DeviceRecorder(tmp_path, lambda: ended, every=0.001)
    recorder.start()
    recorder._thread.join(30)
    assert [event["k"] for event in lines(tmp_path)] == ["machine", "sys", "sys", "log"]


class FailingReader:
    """Fails at the second reading."""

    def __init__(self) -> None:
        self.readings = 0

    def machine(self) -> dict[str, Any]:
        return MACHINE

    def read(self) -> dict[str, Any]:
        self.readings += 1
        if self.readings > 1:
            raise RuntimeError("the card fell off the bus")
        return reading(1)


def test_a_reading_that_fails_is_reported_once_and_ends_the_readings(tmp_path: Path) -> None:
    failing: Any = FailingReader()
    recorder = DeviceRecorder(tmp_path, lambda: failing, every=0.001)
    recorder.start()
    recorder._thread.join(30)
    recorder.stop()
    assert [event["k"] for event in lines(tmp_path)] == ["machine", "sys", "log"]
    assert "RuntimeError: the card fell off the bus" in lines(tmp_path)[-1]["msg"]


def test_a_machine_that_cannot_be_read_at_all_is_reported(tmp_path: Path) -> None:
    def refuse() -> Any:
        raise FileNotFoundError(2, "No such file or directory", "/proc")

    recorder = DeviceRecorder(tmp_path, refuse, every=0.001)
    recorder.start()
    recorder._thread.join(30)
    assert [event["k"] for event in lines(tmp_path)] == ["machine", "log"] and "/proc" in lines(tmp_path)[-1]["msg"]


def test_a_folder_that_takes_no_file_ends_the_readings_alone(tmp_path: Path) -> None:
    failing: Any = FailingReader()
    recorder = DeviceRecorder(tmp_path / "gone", lambda: failing, every=0.001)
    recorder.start()
    recorder._thread.join(30)
    assert not recorder._thread.is_alive()


def test_a_reading_that_hangs_delays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.jobs.device_log.PATIENCE", 0.01)
    release = threading.Event()

    def hang() -> Any:
        release.wait()
        raise RuntimeError("late")

    recorder = DeviceRecorder(tmp_path, hang)
    recorder.start()
    recorder.stop()
    assert recorder._thread.is_alive()
    release.set()
    recorder._thread.join(30)


def test_the_thread_takes_no_signal(tmp_path: Path) -> None:
    masks: list[set[Any]] = []

    def look() -> Any:
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        raise RuntimeError

    recorder = DeviceRecorder(tmp_path, look)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    recorder.start()
    recorder._thread.join(30)
    assert {signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1} <= masks[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_run_has_readings_and_can_still_be_stopped(bench: Any) -> None:
    folder = bench.start(SLEEP)
    wait_until(lambda: (folder / DEVICES).exists() and [e for e in lines(folder) if e["k"] == "sys"])
    machine, first = lines(folder)[:2]
    assert machine["cores"] >= 1 and first["n"] == 1 and first["mem"] > 1_000_000
    os.kill(stage_of(bench, folder).pid, signal.SIGTERM)
    assert bench.ends(folder) == "KILLED" and exit_of(folder).signal == signal.SIGTERM
