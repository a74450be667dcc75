"""What a run's processes use, read from a /proc that the test writes and from this machine's own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.jobs.devices import DeviceReader, ProcessTree, merged, parse_stat, rounded
from engine.jobs.nvml import Gpu, NoGpu

TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
SUPERVISOR, STAGE, WORKER, STRANGER = 10, 11, 12, 99


class ProcFolder:
    """A /proc with processes of chosen parents, seconds and sizes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.put("meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\n")
        self.put("stat", "cpu  100 0 0 900 0 0 0 0 0 0\ncpu0 1 2\n")
        self.process(SUPERVISOR, 1)
        self.process(STRANGER, 1, own=500.0)

    def put(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def process(
        self, pid: int, parent: int, own: float = 0, reaped: float = 0, pages: int = 0, written: int = 0
    ) -> None:
        user, system = round(own * TICKS) - 1 if own else 0, 1 if own else 0
        fields = ["S", parent, *[0] * 9, user, system, round(reaped * TICKS), 0, *[0] * 6, pages, *[0] * 20]
        self.put(f"{pid}/stat", f"{pid} (a (b) c) " + " ".join(map(str, fields)))
        self.put(f"{pid}/io", f"rchar: 5\nread_bytes: 0\nwrite_bytes: {written}\n")

    def end(self, pid: int) -> None:
        for file in (self.root / str(pid)).iterdir():
            file.unlink()
        (self.root / str(pid)).rmdir()


class CardsOf:
    """NVML with these readings."""

    def __init__(self, *gpus: Gpu) -> None:
        self.gpus = gpus

    def read(self) -> tuple[Gpu, ...]:
        return self.gpus


def no_gpu() -> Any:
    raise NoGpu("no GPU: this machine has no NVIDIA driver")


@pytest.fixture
def proc(tmp_path: Path) -> ProcFolder:
    return ProcFolder(tmp_path / "proc")


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def reader(proc: ProcFolder, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> DeviceReader:
    monkeypatch.setattr("engine.jobs.devices.memory_limit", lambda: None)
    return DeviceReader(SUPERVISOR, proc.root, proc=proc.root, clock=lambda: clock[0], open_nvml=no_gpu, environment={})


def test_a_process_name_with_parentheses_hides_no_field() -> None:
    text = "7 (a) R (b) S 3 " + " ".join(["0"] * 9) + " 200 100 40 10 " + " ".join(["0"] * 6) + " 5 0"
    stat = parse_stat(text, ticks=100, page=4096)
    assert (stat.pid, stat.parent, stat.own, stat.reaped, stat.resident) == (7, 3, 3.0, 0.5, 20480)


def test_a_run_is_its_stage_and_all_below_it_and_no_other_process(proc: ProcFolder) -> None:
    proc.process(STAGE, SUPERVISOR)
    proc.process(WORKER, STAGE)
    tree = ProcessTree(SUPERVISOR, proc.root)
    assert {stat.pid for stat in tree.read()[1]} == {STAGE, WORKER}
    proc.process(13, WORKER)
    proc.end(STRANGER)
    assert {stat.pid for stat in tree.read()[1]} == {STAGE, WORKER, 13}


def test_other_processes_are_read_once_and_their_numbers_again_when_they_may_be_reused(proc: ProcFolder) -> None:
    tree = ProcessTree(SUPERVISOR, proc.root)
    assert tree.read()[1] == []
    proc.process(STRANGER, SUPERVISOR)  # the number of a stranger is a process of the run now
    assert tree.read()[1] == []
    for _ in range(58):
        tree.read()
    assert [stat.pid for stat in tree.read()[1]] == [STRANGER]


def test_cores_in_use_are_seconds_of_all_processes_over_seconds(reader: DeviceReader, proc: Any, clock: Any) -> None:
    proc.process(STAGE, SUPERVISOR, own=2.0, pages=10)
    proc.process(WORKER, STAGE, own=6.0, pages=20)
    clock[0] += 4
    reading = reader.read()
    assert reading["cpu"] == pytest.approx(2.0) and reading["top"] == pytest.approx(1.5)
    assert (reading["n"], reading["mem"]) == (2, 30 * PAGE)
    clock[0] += 2
    reading = reader.read()
    assert reading["cpu"] == 0.0 and reading["top"] == 0.0


def test_a_process_that_ended_is_counted_once(reader: DeviceReader, proc: Any, clock: Any) -> None:
    proc.process(STAGE, SUPERVISOR, own=1.0)
    proc.process(WORKER, STAGE, own=3.0)
    clock[0] += 1
    reader.read()
    proc.end(WORKER)
    proc.process(STAGE, SUPERVISOR, own=1.0, reaped=4.0)  # the worker worked another second before it ended
    clock[0] += 1
    assert reader.read()["cpu"] == pytest.approx(1.0)
    proc.end(STAGE)
    proc.process(
        SUPERVISOR, 1, own=7.0, reaped=6.0
    )  # and the stage one; the supervisor's own seconds are not the run's
    clock[0] += 1
    assert reader.read()["cpu"] == pytest.approx(1.0)


def test_a_process_that_ended_and_is_not_collected_yet_is_none_of_the_run(reader: DeviceReader, proc: Any) -> None:
    proc.process(STAGE, SUPERVISOR, own=1.0)
    text = (proc.root / str(STAGE) / "stat").read_text()
    proc.put(f"{STAGE}/stat", text.replace(") S ", ") Z "))
    assert reader.read()["n"] == 0


def test_the_machine_and_the_disk_are_read(reader: DeviceReader, proc: Any, clock: Any) -> None:
    proc.process(STAGE, SUPERVISOR, written=1000)
    proc.put("stat", "cpu  150 0 0 950 0 0 0 0 0 0\n")
    clock[0] += 2
    reading = reader.read()
    assert reading["busy"] == 0.5 and reading["used"] == 400 * 1024 and reading["wr"] == 500 and reading["rd"] == 0
    assert 0 < reading["free"] < reader.machine()["disk"]
    assert reader.machine()["limit"] == 1000 * 1024 and reader.machine()["cores"] >= 1


def test_what_the_kernel_does_not_give_is_none(proc: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.jobs.devices.memory_limit", lambda: None)
    (proc.root / "meminfo").unlink()
    (proc.root / "stat").unlink()
    reader = DeviceReader(SUPERVISOR, Path("/no/such"), proc=proc.root, open_nvml=no_gpu, environment={})
    proc.process(STAGE, SUPERVISOR)
    (proc.root / str(STAGE) / "io").unlink()
    reading = reader.read()
    assert [reading[name] for name in ("busy", "used", "rd", "wr", "free")] == [None] * 5
    assert rounded(reading).keys() == {"cpu", "top", "n", "mem", "gpus"}
    assert rounded(reader.machine()) == {
        "cores": reader.machine()["cores"],
        "gpus": [],
        "note": "no GPU: this machine has no NVIDIA driver",
    }


def test_a_limit_of_the_control_group_counts_before_the_machine(proc: Any, tmp_path: Path, monkeypatch: Any) -> None:
    group = tmp_path / "group"
    group.mkdir()
    (group / "memory.current").write_text("300")
    monkeypatch.setattr("engine.jobs.devices.memory_limit", lambda: (2, 500.0, group))
    reader = DeviceReader(SUPERVISOR, tmp_path, proc=proc.root, open_nvml=no_gpu, environment={})
    assert reader.machine()["limit"] == 500 and reader.read()["used"] == 300


def test_the_gpus_of_the_run_and_its_own_memory_on_them_are_read(proc: Any, tmp_path: Path) -> None:
    proc.process(STAGE, SUPERVISOR)
    proc.process(WORKER, STAGE)
    held = ((STAGE, 5e9), (WORKER, 1e9), (STRANGER, 3e9))
    cards = CardsOf(Gpu(0, "A", "", 0.5, 9e9, 16e9, None, 70.0, held), Gpu(1, "B", "", None, None, None, None, None))
    open_nvml: Any = lambda: cards  # noqa: E731
    seen = DeviceReader(SUPERVISOR, tmp_path, proc=proc.root, open_nvml=open_nvml, environment={})
    assert seen.read()["gpus"] == [{"i": 0, "busy": 0.5, "mem": 9e9, "own": 6e9, "w": 70.0}, {"i": 1}]
    assert [gpu["name"] for gpu in seen.machine()["gpus"]] == ["A", "B"]
    hidden = DeviceReader(
        SUPERVISOR, tmp_path, proc=proc.root, open_nvml=open_nvml, environment={"CUDA_VISIBLE_DEVICES": ""}
    )
    assert hidden.read()["gpus"] == [] and hidden.machine()["note"] == "no GPU: CUDA_VISIBLE_DEVICES hides all"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_real_process_that_works_uses_a_core(tmp_path: Path) -> None:
    reader = DeviceReader(os.getpid(), tmp_path, open_nvml=no_gpu)
    before = reader.read()
    work = subprocess.Popen([sys.executable, "-c", "print(1, flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert work.stdout and work.stdout.readline()
        while (reading := reader.read())["top"] < 0.1:
            assert work.poll() is None
        assert reading["n"] == before["n"] + 1 and reading["cpu"] > 0 and reading["mem"] > 1_000_000
    finally:
        work.kill()
        work.communicate()


READINGS = st.fixed_dictionaries(
    {"n": st.integers(1, 9)},
    optional={name: st.floats(0, 1e12) for name in ("cpu", "top", "busy", "mem", "used", "free", "rd")}
    | {
        "gpus": st.lists(
            st.fixed_dictionaries({"i": st.integers(0, 3)}, optional={"busy": st.floats(0, 1)}), max_size=3
        )
    },
)


@given(st.lists(READINGS, min_size=1, max_size=6))
def test_merged_readings_stay_between_the_least_and_the_largest(readings: list[dict[str, Any]]) -> None:
    one = merged(readings)
    for name, value in one.items():
        if name != "gpus":
            known = [reading[name] for reading in readings if name in reading]
            assert min(known) <= value * (1 + 1e-12) and value <= max(known) * (1 + 1e-12)
    assert {gpu["i"] for gpu in one.get("gpus", ())} == {g["i"] for r in readings for g in r.get("gpus", ())}


def test_merged_readings_keep_peaks_of_memory_and_means_of_rates() -> None:
    first = {"cpu": 1.0, "mem": 5.0, "free": 9.0, "gpus": [{"i": 0, "busy": 0.2, "mem": 3.0}]}
    second = {"cpu": 3.0, "mem": 4.0, "free": 7.0, "gpus": [{"i": 0, "busy": 0.4, "mem": 2.0}]}
    one = merged([first, second])
    assert one == {"cpu": 2.0, "mem": 5.0, "free": 7.0, "gpus": [{"i": 0, "busy": pytest.approx(0.3), "mem": 3.0}]}
