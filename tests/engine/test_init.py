"""``import engine`` is light: what a notebook uses is imported when it is first used."""

import subprocess
import sys

import pytest

import engine

SECONDS = 0.06  # processor time


def fresh(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_takes_no_time_and_loads_nothing() -> None:
    code = (
        "import sys, time; before, since = set(sys.modules), time.process_time(); import engine; "
        "print(time.process_time() - since, *(set(sys.modules) - before))"
    )
    seconds, *loaded = fresh(code).split()
    assert loaded == ["engine"]
    assert float(seconds) < SECONDS


def test_starting_runs_does_not_load_the_libraries_of_the_stages() -> None:
    loaded = fresh("import sys, engine; engine.run; print(*{name.split('.')[0] for name in sys.modules})").split()
    assert not {"torch", "transformers", "pytorch_lightning", "matplotlib"} & {*loaded}


def test_the_package_lists_what_it_offers_and_has_nothing_else() -> None:
    assert {"open", "run"} <= {*dir(engine)}
    assert callable(engine.open) and callable(engine.run)
    with pytest.raises(AttributeError, match="closed"):
        _ = engine.closed  # type: ignore[attr-defined]
