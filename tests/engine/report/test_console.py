"""Whatever a terminal's encoding, a text is printed: without a traceback, and in signs that can be told apart."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.report.console import SIGNS

ROOT = Path(__file__).parents[3]
ENVIRONMENTS = [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "cp1252:strict"},
]


START = "from engine.report.console import make_printable; make_printable(); "


def run(code: str, environment: dict[str, str]) -> bytes:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=ROOT, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_signs_that_an_encoding_lacks_become_ascii(environment: dict[str, str]) -> None:
    code = START + "print('\\u25b8 .5 \\u2265 \\u2717 \\u2026 \\u4e2d')"
    assert b"> .5 >= x " in run(code, environment)
    assert b"\\u4e2d" in run(code, environment)


def test_an_encoding_that_has_the_signs_keeps_them() -> None:
    code = START + "print('\\u25b8 \\xb1 \\u4e2d')"
    assert run(code, {"PYTHONIOENCODING": "utf-8"}).decode() == "▸ ± 中\n"


def test_half_of_a_surrogate_pair_is_printed_as_its_escape() -> None:
    code = START + "print('a\\udcff')"
    assert run(code, {"PYTHONIOENCODING": "utf-8"}) == b"a\\udcff\n"


def test_every_sign_has_an_ascii_one() -> None:
    assert all(sign.isascii() and sign for sign in SIGNS.values())


@pytest.mark.parametrize("module", ["engine", "cockpit"])
@pytest.mark.parametrize("environment", ENVIRONMENTS[:2], ids=str)
def test_a_whole_command_prints_in_any_encoding(module: str, environment: dict[str, str], tmp_path: Path) -> None:
    words = ["config", "student"] if module == "engine" else ["--print", "live", "--runs", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert done.stdout.isascii()
    assert b"\\u" not in done.stdout
