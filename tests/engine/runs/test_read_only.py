"""A helper process says nothing and keeps nothing."""

import signal
from pathlib import Path
from typing import Any

import pytest

from engine.runs.read_only import RANK, ReadOnlyRun, rank
from engine.stages import SEQUENCES, STUDENT_MODEL


def test_it_reads_inputs_but_writes_nothing_into_the_run(bench: Any) -> None:
    data = bench.create("data")
    (data / "artifacts").mkdir(exist_ok=True)
    (data / "artifacts" / SEQUENCES.file).write_text("sequences")
    folder: Path = bench.create("student", inputs={"data": data.name})
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with ReadOnlyRun(folder) as run:
            assert run.input(SEQUENCES).read_text() == "sequences"
            run.describe({"all": 3})
            run.scalars(1, {"loss": 2.0}, 0.5)
            run.progress(1, 2, "train")
            run.health("slow", "warning", "no")
            run.note(steps=1)
            with run.output(STUDENT_MODEL) as path:
                path.write_text("mine")
            with run.checkpoint("step") as path:
                path.write_text("mine")
            assert not run.stop_requested and not run.stop_after_evaluation
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


@pytest.mark.parametrize(("given", "expected"), [(None, 0), ("", 0), ("0", 0), ("3", 3)])
def test_the_first_process_is_the_one_that_reports(
    given: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(RANK, raising=False)
    if given is not None:
        monkeypatch.setenv(RANK, given)
    assert rank() == expected
