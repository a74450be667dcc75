"""GPUs that wait and full memory are noted once they last, in phases in which a GPU should work."""

import time
from pathlib import Path
from typing import Any

import pytest

from engine import config
from engine.config.settings.health import HealthSettings
from engine.runs.event_writer import EventWriter
from engine.runs.run import Run
from engine.runs.schema import DEVICES, RunInfo, Summary, new_id
from engine.training import health
from engine.training.health import HealthFinding, HealthMonitor

Event = dict[str, Any]
MACHINE = {"k": "machine", "t": 0.0, "every": 10.0, "limit": 100.0}


@pytest.fixture(scope="module")
def rules() -> HealthSettings:
    return config.load([]).health


def reading(t: float, *gpus: Event, top: float = 0.1, used: float = 10.0) -> Event:
    return {
        "k": "sys",
        "t": t,
        "n": 1,
        "top": top,
        "used": used,
        "gpus": [{"i": i} | gpu for i, gpu in enumerate(gpus)],
    }


def card(busy: float | None, **memory: float) -> Event:
    return {"own": 5.0, "mem": 9.0} | memory | ({} if busy is None else {"busy": busy})


def phase(name: str) -> Event:
    return {"k": "prog", "step": 1, "total": 9, "phase": name, "unit": "steps"}


def findings(rules: HealthSettings, *events: Event) -> list[HealthFinding]:
    monitor = HealthMonitor(rules)
    return [finding for event in (MACHINE, *events) for finding in monitor.feed(event)]


def every_ten_seconds(*gpus: Event, count: int = 6, start: float = 0.0, **fields: float) -> list[Event]:
    return [reading(start + 10.0 * k, *gpus, **fields) for k in range(count)]


def test_an_idle_gpu_is_noted_once_it_lasts(rules: HealthSettings) -> None:
    assert findings(rules, phase("train"), *every_ten_seconds(card(0.05), count=3)) == []
    (found,) = findings(rules, phase("train"), *every_ten_seconds(card(0.05)))
    assert (found.code, found.level, found.groups) == ("gpu_idle", "warning", ("gpu0",)) and "5%" in found.hint


def test_a_gpu_that_waits_for_the_cpu_is_loader_bound(rules: HealthSettings) -> None:
    (found,) = findings(rules, phase("train"), *every_ten_seconds(card(0.1), top=1.0))
    assert (found.code, found.level) == ("loader_bound", "info") and "larger batch" in found.hint


def test_it_is_over_when_the_gpu_works_again(rules: HealthSettings) -> None:
    late = every_ten_seconds(card(0.9), count=1, start=60.0)
    found = findings(rules, phase("train"), *every_ten_seconds(card(0.05)), *late)
    assert [(one.code, one.level) for one in found] == [("gpu_idle", "warning"), ("gpu_idle", "info")]
    assert "over since" in found[-1].hint


@pytest.mark.parametrize("name", ["prepare", "read student", "write"])
def test_phases_that_need_no_gpu_are_not_judged(rules: HealthSettings, name: str) -> None:
    assert findings(rules, phase(name), *every_ten_seconds(card(0.0))) == []


def test_a_new_phase_begins_anew(rules: HealthSettings) -> None:
    before, after = every_ten_seconds(card(0.0), count=3), every_ten_seconds(card(0.0), count=3, start=30.0)
    assert findings(rules, phase("train"), *before, phase("ask about test"), *after) == []


def test_only_gpus_that_the_run_uses_are_judged(rules: HealthSettings) -> None:
    unused = {"busy": 0.0, "mem": 9.0}
    assert findings(rules, phase("train"), *every_ten_seconds(card(0.8), unused)) == []
    empty = {"busy": 0.0, "mem": 0.1}  # in a container the driver names no process
    assert findings(rules, phase("train"), *every_ten_seconds({"busy": 0.8, "mem": 9.0}, empty)) == []
    (found,) = findings(rules, phase("train"), *every_ten_seconds({"busy": 0.1, "mem": 9.0}, empty))
    assert found.groups == ("gpu0",)


def test_figures_that_are_missing_are_not_judged(rules: HealthSettings) -> None:
    assert findings(rules, phase("train"), *every_ten_seconds(card(None))) == []
    assert findings(rules, phase("train"), *every_ten_seconds()) == []
    without = [{name: value for name, value in one.items() if name != "used"} for one in every_ten_seconds()]
    assert findings(rules, *without) == []


def test_memory_near_its_limit_is_noted_in_every_phase(rules: HealthSettings) -> None:
    (found,) = findings(rules, *every_ten_seconds(used=96.0))
    assert (found.code, found.level) == ("memory_limit", "warning") and found.hint.startswith("96% of the memory")
    assert findings(rules, *every_ten_seconds(used=90.0)) == []
    assert findings(rules, *every_ten_seconds(used=96.0, count=3), *every_ten_seconds(start=30.0)) == []


def test_a_stage_notes_what_its_supervisor_has_read(
    tmp_path: Path, rules: HealthSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "READINGS_EVERY", 0.0)
    folder = tmp_path / new_id("student")
    folder.mkdir()
    RunInfo(folder.name, "student", "test", 1, "f").write(folder)
    now = [time.time() - 1000.0]
    writer = EventWriter(folder / DEVICES, clock=lambda: now[0])
    writer.write("machine", every=10.0, limit=100.0)
    for _ in range(9):  # of an earlier attempt
        now[0] += 10.0
        writer.write("sys", n=1, top=1.0, used=99.0, gpus=[{"i": 1, "busy": 0.01, "own": 5.0}])
    writer.write("machine", every=10.0, limit=100.0)  # of this one, which began before the stage could look
    run = Run(folder)
    health.monitor(run, rules)
    run.progress(0, 9, "train")
    assert not run._summary.health
    now[0] = time.time() + 1.0
    for step in range(6):
        now[0] += 10.0
        writer.write("sys", n=1, top=0.1, used=99.0, gpus=[{"i": 0, "busy": 0.01, "own": 5.0}])
        run.progress(step, 9, "train")
    writer.close()
    (folder / "again").write_bytes((folder / DEVICES).read_bytes())
    (folder / "again").replace(folder / DEVICES)  # as thinning out does: nothing is judged twice
    run.progress(7, 9, "train")
    run.flush()
    summary = Summary.read(folder)
    assert summary is not None and {code: note["count"] for code, note in summary.health.items()} == {
        "gpu_idle": 1,
        "memory_limit": 1,
    }
