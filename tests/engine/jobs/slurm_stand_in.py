"""Replaces sbatch, squeue and scancel on machines without Slurm: jobs are real processes, their records are files.

Installed under the three names in a folder on PATH; STAND_IN names the folder of records. Held jobs (``--hold``) wait
for ever, others until the jobs they depend on have ended.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

RECORDS = Path(os.environ["STAND_IN"])


def record(job: str, kind: str) -> Path:
    return RECORDS / f"{job}.{kind}"


def set_state(job: str, state: str) -> None:
    scratch = record(job, f"new{os.getpid()}")
    scratch.write_text(state)
    scratch.replace(record(job, "state"))


def state(job: str) -> str:
    return record(job, "state").read_text()


def refuse(text: str) -> None:
    sys.exit(text)


def sbatch(arguments: list[str]) -> None:
    options = dict(word.removeprefix("--").partition("=")[::2] for word in arguments)
    if options.get("partition") == "nowhere":
        refuse("sbatch: error: invalid partition specified: nowhere")
    number, script = str(1 + len(list(RECORDS.glob("*.state")))), sys.stdin.read()
    tasks = range(int(options["array"].removeprefix("0-")) + 1) if "array" in options else [None]
    for task in tasks:
        job = number if task is None else f"{number}_{task}"
        record(job, "script").write_text(script)
        set_state(job, "PENDING")
        if "hold" not in options:
            subprocess.Popen(
                [sys.executable, __file__, "work", job, options["output"], options.get("dependency", "")],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
    print(number)


def work(job: str, output: str, dependency: str) -> None:
    for other in dependency.removeprefix("afterany").strip(":").split(":"):
        while other and state(other) in ("PENDING", "RUNNING"):
            time.sleep(0.02)
    if state(job) != "PENDING":
        return
    task = {"SLURM_ARRAY_TASK_ID": job.partition("_")[2]} if "_" in job else {}
    task |= {"SLURM_JOB_ID": job.partition("_")[0], "SLURM_JOB_NAME": "job", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
    task |= {"SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    with open(output, "ab") as console:
        child = subprocess.Popen(
            ["/bin/sh", record(job, "script")], stdout=console, stderr=console, env=os.environ | task
        )
    record(job, "pid").write_text(str(child.pid))
    set_state(job, "RUNNING")
    set_state(job, "FAILED" if child.wait() else "COMPLETED")


def squeue(arguments: list[str]) -> None:
    job = next(word for word in arguments if word.startswith("--jobs=")).removeprefix("--jobs=")
    if not record(job, "state").exists():
        refuse("slurm_load_jobs error: Invalid job id specified")
    print(state(job))


def scancel(arguments: list[str]) -> None:
    *options, job = arguments
    if state(job) == "PENDING":
        set_state(job, "CANCELLED")
    elif "--state=PENDING" not in options and state(job) == "RUNNING":
        name = next((word for word in options if word.startswith("--signal=")), "--signal=TERM")
        os.kill(int(record(job, "pid").read_text()), getattr(signal, "SIG" + name.removeprefix("--signal=")))


if __name__ == "__main__":
    name = Path(sys.argv[0]).name
    if name == "slurm_stand_in.py":
        work(*sys.argv[2:])
    else:
        {"sbatch": sbatch, "squeue": squeue, "scancel": scancel}[name](sys.argv[1:])
