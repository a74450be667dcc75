import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import RunError
from engine.runs import identity
from engine.runs.identity import Identity, boot, look


def sleeper(name: str = "") -> subprocess.Popen[bytes]:
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", code, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    return process


@pytest.fixture(params=["/proc", "ps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Both ways of looking at a process."""
    if request.param == "ps":
        if shutil.which("ps") is None:
            pytest.skip("this machine has no ps")
        monkeypatch.setattr(identity, "PROC", tmp_path)
    elif not Path("/proc/self/stat").exists():
        pytest.skip("this kernel has no /proc")
    return str(request.param)


def test_a_process_is_alive_until_it_ends(way: str) -> None:
    with sleeper() as process:
        me = Identity.of(process.pid)
        assert me.alive is True
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert me.alive is False, "a zombie is dead"
    assert me.alive is False
    assert look(process.pid) is None


def test_a_recycled_number_is_another_process(way: str) -> None:
    mine = Identity.of(os.getpid())
    assert mine.alive is True
    assert replace(mine, start=mine.start + "0").alive is False


def test_a_process_of_an_earlier_start_of_the_machine_is_dead() -> None:
    assert replace(Identity.of(os.getpid()), boot=boot() + "x").alive is False


def test_a_process_of_another_machine_is_neither_alive_nor_dead() -> None:
    assert replace(Identity.of(os.getpid()), host="elsewhere").alive is None


def test_a_name_with_blanks_and_parentheses_confuses_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fields = ["S", *map(str, range(4, 22)), "4242", "23"]
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(f"7 (a ) R 1 (b)) {' '.join(fields)}\n")
    monkeypatch.setattr(identity, "PROC", tmp_path)
    assert look(7) == ("S", "4242")


def test_a_process_that_is_gone_has_no_identity() -> None:
    with sleeper() as process:
        process.kill()
    with pytest.raises(RunError, match="is gone"):
        Identity.of(process.pid)
