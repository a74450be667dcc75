"""Runs as jobs of Slurm: of a real one where there is a cluster, and of a stand-in everywhere."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import config
from engine.cli import main
from engine.errors import ConfigError, RunError
from engine.experiments.launch import sbatch_options
from engine.jobs import slurm
from engine.jobs.starter import launch, launch_array
from engine.runs.reader import history
from engine.runs.schema import Exit, Process, RunInfo

STAND_IN = Path(__file__).with_name("slurm_stand_in.py")


def answers() -> bool:
    """Whether there is a cluster with a machine for us."""
    if shutil.which("sinfo") is None:
        return False
    try:
        done = subprocess.run(["sinfo", "--noheader", "--states=idle"], capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


@pytest.fixture(params=["stand-in", "slurm"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "POLL_EVERY", 0.0)
    if request.param == "slurm":
        if not answers():
            pytest.skip("there is no Slurm with an idle machine here")
        return
    commands, records = tmp_path / "bin", tmp_path / "records"
    for folder in (commands, records):
        folder.mkdir()
    for name in ("sbatch", "squeue", "scancel"):
        program = commands / name
        program.write_text(f"#!{sys.executable}\n{STAND_IN.read_text()}".replace("__file__", repr(str(STAND_IN))))
        program.chmod(0o755)
    monkeypatch.setenv("STAND_IN", str(records))
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")


def submitted(bench: Any, pause: float = 0.0, **fields: Any) -> Path:
    folder: Path = bench.create(**{"sbatch": [], **fields})
    launch(folder, bench.trainer(folder, pause))
    return folder


def job(folder: Path) -> slurm.SlurmJob:
    found = slurm.SlurmJob.read(folder)
    assert found is not None
    return found


def at_work(folder: Path) -> bool:
    process = Process.read(folder)
    return process is not None and process.phase == "running"


@pytest.mark.usefixtures("cluster")
def test_a_job_does_the_run_after_the_jobs_of_its_inputs(bench: Any) -> None:
    maker = submitted(bench, 0.02)
    user = submitted(bench, inputs={"student": maker.name})
    assert bench.state(user) == "QUEUED"
    assert f"as Slurm job {job(user).id}" in bench.store.entry(user).status.reason
    assert bench.ends(user) == "DONE"
    assert bench.state(maker) == "DONE"


@pytest.mark.usefixtures("cluster")
def test_a_job_whose_input_failed_ends_with_that_reason(bench: Any) -> None:
    maker = bench.create(sbatch=[])
    launch(maker, bench.command(maker, "raise SystemExit(3)"))
    user = submitted(bench, inputs={"student": maker.name})
    assert bench.ends(user) == "FAILED"
    assert f"needs {maker.name}, which is FAILED" in bench.store.entry(user).status.reason


@pytest.mark.usefixtures("cluster")
def test_a_job_that_waits_is_taken_out_of_the_queue_and_can_be_submitted_again(bench: Any) -> None:
    folder = submitted(bench, sbatch=["--hold"])
    assert bench.state(folder) == "QUEUED"
    bench.store.stop(bench.store.entry(folder))
    assert bench.state(folder) == "STOPPED"
    assert bench.store.entry(folder).status.reason == "stopped before it began"
    bench.store.resume(bench.store.entry(folder))
    assert bench.state(folder) == "QUEUED"
    job(folder).withdraw()


@pytest.mark.usefixtures("cluster")
def test_a_job_that_vanished_from_the_queue_is_lost(bench: Any) -> None:
    folder = submitted(bench, sbatch=["--hold"])
    subprocess.run(["scancel", job(folder).id], check=True)
    bench.until(lambda: bench.state(folder) == "LOST")
    assert "ended before it began" in bench.store.entry(folder).status.reason


@pytest.mark.usefixtures("cluster")
def test_a_cancelled_job_writes_its_checkpoint_and_goes_on_as_another(bench: Any) -> None:
    folder = submitted(bench, 0.05)
    bench.until(lambda: at_work(folder) and (folder / "checkpoints" / "state.json").exists())
    job(folder).cancel()
    assert bench.ends(folder) == "STOPPED"
    bench.store.resume(bench.store.entry(folder), bench.trainer(folder))
    assert job(folder).attempt == 2
    assert bench.ends(folder) == "DONE"
    assert (folder / "artifacts" / "model.safetensors").read_text() == str(sum(range(41)))


@pytest.mark.usefixtures("cluster")
def test_a_job_can_be_killed_and_its_end_is_recorded(bench: Any) -> None:
    folder = submitted(bench, 0.05)
    bench.until(lambda: at_work(folder))
    job(folder).cancel(kill=True)
    assert bench.ends(folder) == "KILLED"
    end = Exit.read(folder)
    assert end is not None
    assert end.signal == signal.SIGKILL


@pytest.mark.usefixtures("cluster")
def test_a_job_has_the_environment_of_a_stage(bench: Any) -> None:
    folder = bench.create(sbatch=[])
    given = {name: os.environ[name] for name in ("PATH", "STAND_IN", "HOME") if name in os.environ}
    launch(folder, bench.command(folder, "import os; print(os.environ['PYTHONFAULTHANDLER'])"), given)
    assert bench.ends(folder) == "DONE"
    assert (folder / "console.log").read_text() == "1\n"


@pytest.mark.usefixtures("cluster")
def test_a_run_that_is_in_the_queue_is_not_submitted_twice(bench: Any) -> None:
    folder = submitted(bench, sbatch=["--hold"])
    with pytest.raises(RunError, match="at work on this run already"):
        launch(folder)
    job(folder).withdraw()


@pytest.mark.usefixtures("cluster")
def test_a_refusal_of_slurm_is_an_error_with_its_message(bench: Any) -> None:
    folder = bench.create(sbatch=["--partition=nowhere"])
    with pytest.raises(RunError, match="invalid partition") as caught:
        launch(folder)
    assert "sinfo" in caught.value.remedy


@pytest.mark.usefixtures("cluster")
def test_several_runs_are_tasks_of_one_array_after_the_jobs_of_all_their_inputs(bench: Any) -> None:
    maker = submitted(bench, 0.01)
    folders = [bench.create(sbatch=[], inputs={"student": maker.name}) for _ in range(2)]
    commands = [bench.trainer(folders[0]), bench.command(folders[1], "print('mine'); raise SystemExit(3)")]
    tasks = [
        slurm.Task(folder, bench.store.entry(folder).info, 1, argv, 30.0)
        for folder, argv in zip(folders, commands, strict=True)
    ]
    jobs = slurm.submit(tasks, os.environ)
    assert [job(folder) for folder in folders] == jobs
    number = jobs[0].id.partition("_")[0]
    assert [one.id for one in jobs] == [f"{number}_0", f"{number}_1"]
    assert [bench.ends(folder) for folder in (*folders, maker)] == ["DONE", "FAILED", "DONE"]
    assert "mine" in (folders[1] / "console.log").read_text()
    assert "mine" not in (folders[0] / "console.log").read_text()


@pytest.mark.usefixtures("cluster")
def test_a_task_of_an_array_is_stopped_without_the_others(bench: Any) -> None:
    folders = [bench.create(sbatch=["--hold"]) for _ in range(2)]
    launch_array([(folder, bench.store.entry(folder).info) for folder in folders])
    assert [bench.state(folder) for folder in folders] == ["QUEUED", "QUEUED"]
    with pytest.raises(RunError, match="at work on this run already"):
        launch_array([(folder, bench.store.entry(folder).info) for folder in folders])
    bench.store.stop(bench.store.entry(folders[1]))
    assert [bench.state(folder) for folder in folders] == ["QUEUED", "STOPPED"]
    job(folders[0]).withdraw()


@pytest.mark.usefixtures("cluster")
def test_the_runs_of_a_sweep_are_one_array_a_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    words = ["sweep", "student", "seed=1,2", "launcher=slurm", "launcher.slurm.options=[--hold]", "--detach", "--json"]
    assert main([*words, "--runs", str(runs)]) == 0
    started = [one["runs"] for one in json.loads(capsys.readouterr().out)["combinations"]]
    assert started[0]["data"] == started[1]["data"] and "_" not in job(runs / started[0]["data"]).id
    tasks = [job(runs / one["student"]).id for one in started]
    number = tasks[0].partition("_")[0]
    assert tasks == [f"{number}_0", f"{number}_1"]
    assert main([*words, "--runs", str(runs)]) == 0  # joined: nothing is submitted again
    assert [job(runs / one["student"]).id for one in started] == tasks
    for name in (started[0]["data"], *(one["student"] for one in started)):
        job(runs / name).withdraw()


def test_a_machine_without_slurm_is_an_error(bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match="there is no sbatch on this machine") as caught:
        launch(bench.create(sbatch=[]))
    assert "launcher=local" in caught.value.remedy


def test_only_stages_that_compute_ask_for_accelerators() -> None:
    words = ["launcher=slurm", "launcher.slurm.gpus=2", "launcher.slurm.partition=main", "launcher.slurm.time=1-0"]
    settings = config.load([*words, "trainer=gpu", "trainer.devices=2"])
    assert sbatch_options(settings, computes=True) == [
        *("--partition=main", "--time=1-0", "--nodes=1", "--cpus-per-task=2", "--gpus=2")
    ]
    assert sbatch_options(settings, computes=False) == ["--partition=main", "--time=1-0", "--cpus-per-task=2"]
    assert sbatch_options(config.load([]), computes=True) is None
    one = sbatch_options(config.load(["launcher=slurm", "launcher.slurm.gpus=1", "trainer=gpu"]), computes=True)
    assert one == ["--cpus-per-task=2", "--gpus=1"]


def test_a_job_with_fewer_gpus_than_processes_is_refused() -> None:
    words = ["launcher=slurm", "launcher.slurm.gpus=2", "trainer.devices=4"]
    with pytest.raises(ConfigError, match=r"(?s)4 processes need a GPU each.*job has 2.*gpus=4"):
        sbatch_options(config.load([*words, "trainer=gpu"]), computes=True)
    assert sbatch_options(config.load([*words, "trainer=cpu"]), computes=True)


@pytest.mark.usefixtures("cluster")
def test_a_job_starts_the_processes_of_several_devices_itself(bench: Any, new_chain: Callable[[], Any]) -> None:
    """Although Lightning, left alone, takes a job of one task for a training of one process."""
    chain = new_chain()
    chain.perform("student", "alone", ["student.dropout=0.0"])
    words = ["launcher=slurm", "trainer.devices=2", "student.dropout=0.0"]
    settings, folder = chain.start("student", "shared", words)
    launch(folder, info=replace(RunInfo.read(folder), sbatch=sbatch_options(settings, computes=True)))
    seen = set[str]()

    def ended() -> bool:
        seen.update(ranks_of(folder))
        return Exit.read(folder) is not None

    bench.until(ended, 120.0)
    end = Exit.read(folder)
    assert end is not None and end.code == 0, (folder / "console.log").read_text()
    assert seen == {"", "1"}
    whole, shared = (history(chain.runs / name).evaluations[-1].values for name in ("alone", "shared"))
    assert shared == pytest.approx(whole, rel=1e-3)


def ranks_of(folder: Path) -> Iterator[str]:
    """LOCAL_RANK of every process that works on a run's stage."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "stage" in command and str(folder) in command:
                given = dict(pair.partition(b"=")[::2] for pair in (process / "environ").read_bytes().split(b"\0"))
                yield given.get(b"LOCAL_RANK", b"").decode()


def test_half_a_choice_of_launcher_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose launcher=slurm"):
        config.load(["launcher.kind=slurm"])
