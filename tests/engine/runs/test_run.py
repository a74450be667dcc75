import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError, RunError
from engine.jobs.environment import stage_environment
from engine.runs.events import unpack_counts
from engine.runs.reader import history
from engine.runs.run import Run, Stopped
from engine.runs.schema import Summary
from engine.stages import ADAPTER, ITEM_VECTORS, ITEMS, ORACLE, PROFILE, RANKINGS, SEQUENCES, STUDENT_MODEL, TEST


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(bench: Any) -> Path:
    """A student's run whose data run has made some of its artifacts."""
    data = bench.create("data")
    (data / "artifacts").mkdir()
    (data / "artifacts" / PROFILE.file).write_text("{}")
    return bench.create("student", inputs={"data": data.name})


@pytest.fixture
def clock() -> Clock:
    return Clock()


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [event for event in lines if event["k"] == kind]


def summary(folder: Path) -> Summary:
    read = Summary.read(folder)
    assert read is not None
    return read


# -- files


def test_a_stage_opens_what_it_declared_and_what_is_there(folder: Path) -> None:
    run = Run.open(folder)
    assert run.input(PROFILE).read_text() == "{}"
    assert run.has(PROFILE)
    assert not run.has(SEQUENCES)


def test_a_missing_input_names_its_maker(folder: Path) -> None:
    with pytest.raises(
        RunError, match=r"student needs sequences\.safetensors \(.*\), which is not there\n.*engine run data"
    ):
        Run.open(folder).input(SEQUENCES)


@pytest.mark.parametrize("artifact", [TEST, ITEMS, ADAPTER, STUDENT_MODEL])
def test_only_declared_inputs_can_be_opened_or_even_asked_for(folder: Path, artifact: Any) -> None:
    with pytest.raises(RunError, match="not among its needs"):
        Run.open(folder).input(artifact)
    with pytest.raises(RunError, match="not among its needs"):
        Run.open(folder).has(artifact)


def test_a_stage_that_was_planned_without_an_input_says_so(bench: Any) -> None:
    run = Run.open(bench.create("evaluate", inputs={}))
    assert not run.has(ORACLE)
    with pytest.raises(RunError, match="evaluate was planned without student"):
        run.input(STUDENT_MODEL)


def test_an_output_appears_when_it_is_whole(folder: Path) -> None:
    run = Run.open(folder)
    with run.output(STUDENT_MODEL) as path:
        path.write_bytes(b"weights")
        assert not (folder / "artifacts" / STUDENT_MODEL.file).exists()
    assert (folder / "artifacts" / STUDENT_MODEL.file).read_bytes() == b"weights"
    with pytest.raises(RunError, match="does not make"):
        run.output(ADAPTER)


def test_a_checkpoint_is_announced_when_it_is_whole(folder: Path) -> None:
    run = Run.open(folder)
    with pytest.raises(KeyError), run.checkpoint("last") as path:
        path.write_text("half")
        raise KeyError
    assert events(folder, "ckpt") == []
    with run.checkpoint("last") as path:
        path.mkdir()
        (path / "weights").write_bytes(b"1234")
    assert (run.checkpoints / "last" / "weights").exists()
    assert [(event["path"], event["bytes"]) for event in events(folder, "ckpt")] == [("checkpoints/last", 4)]


def test_half_written_files_of_an_attempt_that_died_are_removed(folder: Path) -> None:
    for place in ("artifacts", "checkpoints"):
        (folder / place / ".scratch" / "model").mkdir(parents=True)
        (folder / place / "whole").write_text("x")
    Run.open(folder)
    assert [path.name for path in (folder / "artifacts").iterdir()] == ["whole"]
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["whole"]


def test_a_run_of_a_stage_that_does_not_exist_says_which_do(bench: Any) -> None:
    with pytest.raises(RunError, match="no stage 'pretrain'\nStages are: data, student"):
        Run.open(bench.create("pretrain"))


# -- reports


def test_best_follows_the_goal_in_the_table(folder: Path) -> None:
    run = Run.open(folder)
    for step, (recall, loss) in enumerate([(0.1, 3.0), (0.3, 1.0), (0.2, 2.0), (math.nan, math.nan)]):
        run.scalars(step, {"loss": loss, "lr": 0.1})
        run.evaluation(step, {"val_recall@10": recall, "unknown": 1.0})
    run.note()
    assert summary(folder).best == {"loss": {"v": 1.0, "step": 1}, "val_recall@10": {"v": 0.3, "step": 1}}
    assert math.isnan(summary(folder).last["loss"])
    assert summary(folder).last["unknown"] == 1.0


def test_a_resumed_attempt_knows_the_best_up_to_its_step_and_the_facts(folder: Path) -> None:
    with pytest.raises(Stopped), Run.open(folder) as run:
        for step, recall in [(10, 0.1), (20, 0.3), (30, 0.2), (40, 0.5)]:
            run.evaluation(step, {"val_recall@10": recall})
        run.note(train_seconds=7.5)
        raise Stopped
    again = Run.open(folder)
    assert again.attempt == 2
    assert summary(folder).best == {}
    again.resumed(30)
    again.note()
    assert summary(folder).best == {"val_recall@10": {"v": 0.3, "step": 20}}
    assert summary(folder).facts == {"train_seconds": 7.5}
    assert [evaluation.step for evaluation in history(folder).evaluations] == [10, 20, 30]


def test_the_summary_is_written_at_most_once_a_second_and_whole_at_the_end(folder: Path, clock: Clock) -> None:
    with Run(folder, clock) as run:
        seen = set()
        for step in range(1000):  # ten seconds
            clock.now += 0.01
            run.scalars(step, {"loss": 1.0})
            seen.add(summary(folder).hb)
        assert 9 <= len(seen) <= 12
    assert (summary(folder).hb, summary(folder).step) == (clock.now, 999)


def test_progress_tells_rate_and_eta(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    for step in range(0, 101):
        clock.now += 0.1
        run.progress(step, 1000, "train")
    told = summary(folder)
    assert told.rate == pytest.approx(10)
    assert told.eta == pytest.approx((1000 - told.step) / 10)
    run.progress(0, 50, "export", rate=25.0, unit="items")
    run.note()
    assert (summary(folder).phase, summary(folder).unit, summary(folder).rate) == ("export", "items", 25.0)
    assert summary(folder).eta == 2.0


def test_every_phase_is_told_and_so_is_its_end(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    for phase in range(20):
        run.progress(0, 10, f"phase {phase}")
        run.progress(10, 10, f"phase {phase}")
    told = [(event["phase"], event["step"]) for event in events(folder, "prog")]
    assert told == [(f"phase {phase}", step) for phase in range(20) for step in (0, 10)]


def test_scalars_keep_the_whole_precision_of_a_float32(folder: Path) -> None:
    value = 0.100000001490116119384765625  # float32(0.1)
    run = Run.open(folder)
    run.scalars(1, {"loss": value, "broken": math.inf})
    assert struct.pack("f", events(folder, "s")[0]["m"]["loss"]) == struct.pack("f", value)
    assert events(folder, "s")[0]["m"]["broken"] == "inf"


def test_evaluations_keep_every_digit(folder: Path) -> None:
    run = Run.open(folder)
    run.evaluation(1, {"val_recall@10": 1 / 3}, epoch=0.5, best=True)
    event = events(folder, "val")[0]
    assert (event["m"]["val_recall@10"], event["ep"], event["best"], event["split"]) == (1 / 3, 0.5, True, "validation")


def test_a_missing_gradient_and_a_zero_one_are_told_apart(folder: Path) -> None:
    run = Run.open(folder)
    run.describe({"embedding": 10, "blocks": 20, "output": 30})
    run.gradients(1, 3.14159, [None, 0.0, 1.23456], clip=1.0, clipped=True, updates=[None, 0.0, 0.001])
    event = events(folder, "grad")[0]
    assert (event["g"], event["u"]) == ([None, 0.0, 1.235], [None, 0.0, 0.001])
    assert (event["total"], event["clip"], event["clipped"]) == (3.142, 1.0, True)
    assert [group["name"] for group in events(folder, "schema")[0]["groups"]] == ["embedding", "blocks", "output"]
    with pytest.raises(ValueError, match="2 values for the 3 groups"):
        run.gradients(1, 1.0, [1.0, 2.0], None, False)


def test_gate_histograms_can_be_read_back(bench: Any) -> None:
    folder = bench.create("teacher")
    counts = [[0, 3, 9], [5, 0, 0]]
    Run.open(folder).gate(1, "layers.0.q", counts, [0.25, 0.75], 0.5)
    event = events(folder, "gate")[0]
    for row, back in zip(counts, unpack_counts(event["c"], event["mx"]), strict=True):
        assert back == pytest.approx(row, abs=0.05)
    assert (event["n"], event["load"], event["ent"]) == (17, [0.25, 0.75], 0.5)


def test_health_is_counted_in_the_summary(folder: Path) -> None:
    run = Run.open(folder)
    run.health("grad_none", "error", "no gradient reaches it", ["output"])
    run.health("grad_none", "error", "no gradient reaches it", ["output"])
    run.note()
    flag = summary(folder).health["grad_none"]
    assert (flag["count"], flag["level"], flag["groups"]) == (2, "error", ["output"])
    assert len(events(folder, "health")) == 2


# -- being asked to stop


def test_files_in_control_ask_for_a_stop(folder: Path, clock: Clock) -> None:
    run = Run(folder, clock)
    assert (run.stop_requested, run.stop_after_evaluation) == (False, False)
    (folder / "control").mkdir()
    (folder / "control" / "stop-after-evaluation").touch()
    clock.now += 1
    assert (run.stop_requested, run.stop_after_evaluation) == (False, True)
    (folder / "control" / "stop").touch()
    clock.now += 1
    assert run.stop_requested


def test_a_new_attempt_forgets_what_was_asked_of_the_last(folder: Path) -> None:
    (folder / "control").mkdir()
    (folder / "control" / "stop").touch()
    with pytest.raises(Stopped), Run.open(folder) as run:
        assert run.stop_requested
        raise Stopped
    with Run.open(folder) as run:
        assert not run.stop_requested


def test_control_is_not_looked_at_in_every_step(folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(folder, clock)
    looks: list[Path] = []
    monkeypatch.setattr(Path, "exists", lambda path: bool(looks.append(path)))
    for _ in range(1000):  # ten seconds
        clock.now += 0.01
        assert not run.stop_requested
    assert len(looks) <= 2 * 51


def test_sigterm_asks_for_a_stop_and_the_old_handler_comes_back(folder: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Run.open(folder) as run:
        assert not run.stop_requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert run.stop_requested
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_can_work_in_a_thread(folder: Path) -> None:
    def work() -> None:
        with Run.open(folder):
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert summary(folder).ended == "done"


# -- the end


@pytest.mark.parametrize(
    ("error", "ended", "told"),
    [
        (None, "done", ""),
        (Stopped(), "stopped", ""),
        (KeyboardInterrupt(), "stopped", ""),
        (
            DataError("has no rows", location="u.data", remedy="Give another file."),
            "failed",
            "u.data: has no rows\nGive another file.",
        ),
        (ZeroDivisionError("division by zero"), "failed", "ZeroDivisionError: division by zero"),
    ],
)
def test_every_end_is_recorded_and_every_exception_passes(
    folder: Path, error: BaseException | None, ended: str, told: str
) -> None:
    def work() -> None:
        with Run.open(folder):
            if error:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work()
    assert (summary(folder).ended, summary(folder).error) == (ended, told)
    event = events(folder, "end")[0]
    assert (event["status"], event.get("reason", "")) == (ended, told)
    assert ("Traceback" in event.get("trace", "")) == isinstance(error, ZeroDivisionError)


def test_a_second_holder_of_a_run_is_refused(folder: Path) -> None:
    with (
        Run.open(folder),
        pytest.raises(RunError, match=r"at work on this run already\n.*engine stop"),
        Run.open(folder),
    ):
        pass
    with Run.open(folder) as run:
        assert run.attempt > 1


def with_small_files(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    """A stage in a process that may write files of 20,000 bytes at most."""
    source = """
import resource, sys
from pathlib import Path
from engine.errors import UserError
from engine.runs.run import Run
from engine.stages import ITEM_VECTORS, RANKINGS
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with Run.open(Path(sys.argv[1])) as run:
        with run.output(RANKINGS) as path:
            path.write_bytes(b"w" * 10_000)
        if sys.argv[2] == "output":
            with run.output(ITEM_VECTORS) as path:
                path.write_bytes(b"w" * 30_000)
        for step in range(10_000):
            run.evaluation(step, {"val_recall@10": 0.1})
except UserError as error:
    print(error)
    sys.exit(2)
"""
    return subprocess.run(
        [sys.executable, "-c", source, str(folder), what],
        env=stage_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("what", "file"), [("events", "events.jsonl"), ("output", ITEM_VECTORS.file)])
def test_a_refused_write_ends_the_work_with_a_remedy_and_loses_nothing(bench: Any, what: str, file: str) -> None:
    folder = bench.create("knowledge")
    done = with_small_files(folder, what)
    assert done.returncode == 2, done.stderr
    assert f"{file}: cannot be written: File too large" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert (folder / "artifacts" / RANKINGS.file).stat().st_size == 10_000
    assert not (folder / "artifacts" / ITEM_VECTORS.file).exists()
    assert summary(folder).ended == "failed"
    assert history(folder).attempt == 1  # still readable


def test_a_full_disk_at_the_end_is_told_unless_another_error_came_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RunError("cannot be written: No space left on device")

    def work(error: Exception | None) -> None:
        with Run.open(folder):
            monkeypatch.setattr(Summary, "write", full)
            if error:
                raise error

    with pytest.raises(RunError, match="No space"):
        work(None)
    monkeypatch.undo()
    with pytest.raises(ZeroDivisionError):
        work(ZeroDivisionError())
