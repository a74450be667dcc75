"""The development container's entrypoint without a container engine: its user and its packages."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / ".devcontainer"
SOMEONE = 54_321  # an id that no user of this machine has

# Instead of a real installation: notes what was asked for. REFUSE makes it fail.
PIP = """#!/bin/sh
echo "pip $*" >> "$NOTES"
[ -z "${REFUSE:-}" ]
"""
PYTHON = f"""#!/bin/sh
echo "python3 $*" >> "$NOTES"
mkdir -p "$3/bin"
cat > "$3/bin/pip" <<'END'
{PIP}END
chmod 755 "$3/bin/pip"
"""
NOTED = '#!/bin/sh\necho "$(basename "$0") $*" >> "$NOTES"\n'


@dataclass
class Container:
    """A working tree, an empty environment, and commands that only take notes."""

    folder: Path

    @property
    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def installs(self) -> int:
        return sum(note.startswith("pip install") for note in self.notes)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {
            "PATH": f"{self.folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
            "DEV_TREE": str(self.folder / "tree"),
            "DEV_VENV": str(self.folder / "venv"),
            "NOTES": str(self.folder / "notes"),
        }
        return subprocess.run(
            [str(self.folder / "entrypoint.sh"), *command],
            env=known | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def container() -> Iterator[Container]:
    folder = Path(tempfile.mkdtemp())  # not pytest's: other users may enter this one
    folder.chmod(0o777)
    shutil.copy(ROOT / "entrypoint.sh", folder)
    for name in ("bin", "tree"):
        (folder / name).mkdir(mode=0o755)
    for name, text in {"python3": PYTHON, "usermod": NOTED, "groupmod": NOTED}.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    (folder / "tree" / "constraints.txt").write_text("torch==1\n")
    (folder / "tree" / "pyproject.toml").write_text("[project]\n")
    (folder / "notes").touch()
    (folder / "notes").chmod(0o666)
    yield Container(folder)
    shutil.rmtree(folder)


def test_packages_are_installed_at_first_and_again_when_the_constraints_have_changed(container: Container) -> None:
    assert container.run("true").returncode == 0
    assert container.notes[-1] == "pip install -q -c constraints.txt -e .[dev]"
    assert container.run("true").returncode == 0 and container.installs == 1
    (container.folder / "tree" / "constraints.txt").write_text("torch==2\n")
    assert "has changed" in container.run("true").stderr and container.installs == 2
    (container.folder / "tree" / "pyproject.toml").write_text("[project]\nname='x'\n")
    container.run("true")
    container.run("true")
    assert container.installs == 3


def test_an_installation_that_failed_ends_the_start_and_is_repeated(container: Container) -> None:
    assert container.run("touch", str(container.folder / "ran"), REFUSE="1").returncode != 0
    assert not (container.folder / "ran").exists()
    assert container.run("true").returncode == 0 and container.installs == 2


def test_the_command_runs_in_the_tree_and_its_status_is_the_containers(container: Container) -> None:
    found = container.run("sh", "-c", "pwd; exit 7")
    assert (found.stdout.strip(), found.returncode) == (str(container.folder / "tree"), 7)


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_files_belong_to_the_owner_of_the_tree_and_not_to_root(container: Container) -> None:
    tree = container.folder / "tree"
    os.chown(tree, SOMEONE, SOMEONE + 1)
    found = container.run("sh", "-c", "id -u; id -g; touch made")
    assert found.stdout.split() == [str(SOMEONE), str(SOMEONE + 1)], found.stderr
    assert ((tree / "made").stat().st_uid, (tree / "made").stat().st_gid) == (SOMEONE, SOMEONE + 1)
    owners = {path.stat().st_uid for path in (container.folder / "venv").rglob("*")}
    assert owners == {SOMEONE} == {(container.folder / "venv").stat().st_uid}
    assert f"groupmod --non-unique --gid {SOMEONE + 1} dev" in container.notes
    assert f"usermod --non-unique --uid {SOMEONE} --gid {SOMEONE + 1} dev" in container.notes


def test_both_configurations_build_the_one_dockerfile_for_their_device() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "COPY entrypoint.sh /usr/local/bin/entrypoint" in dockerfile and "ARG DEVICE" in dockerfile
    for device in ("cpu", "cuda"):
        found = json.loads((ROOT / device / "devcontainer.json").read_text())
        assert (ROOT / device / found["build"]["dockerfile"]).resolve() == (ROOT / "Dockerfile").resolve()
        assert found["build"]["args"] == {"DEVICE": device}
        assert found["remoteUser"] == "dev" and "dev" in dockerfile
        assert found["overrideCommand"] is False  # the entrypoint runs
        assert any(f"-{device},target=/opt/venv" in mount for mount in found["mounts"])
        assert ("--gpus=all" in found.get("runArgs", [])) == (device == "cuda")
