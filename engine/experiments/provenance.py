"""Where a run comes from: code version, interpreter and packages, recorded before it starts."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from engine.jobs.environment import stage_environment

PACKAGES = ("torch", "pytorch-lightning", "transformers", "numpy", "pandas")


def git(folder: Path) -> dict[str, str | bool | None]:
    """Commit of the checkout that holds ``folder`` and whether it has uncommitted changes; no commit outside one."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True)
        status = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:  # no git on this machine
        return {"sha": None, "dirty": None}
    if commit.returncode:
        return {"sha": None, "dirty": None}
    return {"sha": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}


def versions() -> dict[str, str]:
    """Python, the packages and the number of threads that the last digits of numbers depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    found["threads"] = stage_environment(os.environ).get("OMP_NUM_THREADS", "all")
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
