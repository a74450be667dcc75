"""Where a run comes from: code version, interpreter and packages, recorded before it starts."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

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
    """Python and the packages that numbers depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
