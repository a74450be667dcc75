"""``engine queue`` over real supervisors: its rows, and its actions."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli import main
from engine.jobs.starter import launch
from engine.jobs.store import Store
from engine.runs.schema import Exit, RunInfo, Slots, new_id

WORK = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[dict[str, str]]:
    """One run at work, two in line for its slot, one that waits for it, and one that was DONE in a minute."""
    store = Store(tmp_path / "runs")

    def make(name: str, **fields: object) -> Path:
        info = RunInfo(new_id(name), name, "test", 1, "f" * 8, slots=Slots("cpu", 1), **fields)  # type: ignore[arg-type]
        return store.create(info, "seed: 1\n")

    def begin(folder: Path, state: str) -> Path:
        launch(folder, WORK)
        deadline = time.monotonic() + 30
        while store.entry(folder).state != state:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return folder

    Exit(1, 0, None, "self", "", 60.0, 10**6, False, time.time()).write(make("student"))
    work = begin(make("data"), "RUNNING")
    first, second = begin(make("student"), "QUEUED"), begin(make("student"), "QUEUED")
    waits = begin(make("student", inputs={"data": work.name}), "WAITING")
    yield {"root": str(store.root), "work": work.name, "a": first.name, "b": second.name, "c": waits.name}
    for entry in store.scan():
        if entry.state.living:
            store.stop(entry, "kill")


def test_the_queue_is_listed_reordered_and_paused(runs: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    def rows(*arguments: str) -> list[dict[str, object]]:
        assert main(["queue", *arguments, "--runs", runs["root"], "--json"]) == 0
        answer: list[dict[str, object]] = json.loads(capsys.readouterr().out)
        return answer

    work, a, b, c = rows()
    assert [row["run"] for row in (work, a, b, c)] == [runs[name] for name in ("work", "a", "b", "c")]
    assert [row["turn"] for row in (work, a, b, c)] == [None, 1, 2, 3] and work["slot"] == "cpu 0"
    assert a["why"] == f"next for the cpu slot, taken by {runs['work']}" and c["why"] == f"for {runs['work']}"
    assert [row["begins"] for row in (work, a)] == [0.0, None]  # nothing tells how long data takes
    assert [row["run"] for row in rows("first", runs["c"], runs["b"])][1:] == [runs["c"], runs["b"], runs["a"]]
    held = rows("pause", runs["c"])[1]
    assert held["paused"] and str(held["why"]).endswith(f"engine queue unpause {runs['c']}")
    assert not rows("unpause", runs["c"])[1]["paused"]
    assert main(["queue", "--runs", runs["root"]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[3].endswith("for a cpu slot, 1 before it")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["frist", "x"], "actions: first"), (["first"], "no run is named"), (["pause", "none"], "there is no")],
)
def test_a_mistake_is_an_error_with_its_remedy(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["queue", *arguments, "--runs", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err.lower()


def test_an_empty_queue_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "--runs", str(tmp_path)]) == 0
    assert "no run is running or waiting" in capsys.readouterr().err
