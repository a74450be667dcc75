import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.jobs.environment import stage_environment, usable_cores


def test_a_small_machine_gets_one_thread_and_a_large_one_patient_threads() -> None:
    assert stage_environment({}, cores=2)["OMP_NUM_THREADS"] == "1"
    assert "OMP_WAIT_POLICY" not in stage_environment({}, cores=2)
    assert stage_environment({}, cores=8)["OMP_WAIT_POLICY"] == "PASSIVE"
    assert "OMP_NUM_THREADS" not in stage_environment({}, cores=8)


@pytest.mark.parametrize("name", [name for name in stage_environment({}, cores=1) if name != "PYTHONPATH"])
def test_what_a_person_has_set_stays(name: str) -> None:
    assert stage_environment({name: "mine", "OTHER": "kept"}, cores=1) | {} == stage_environment(
        {"OTHER": "kept"}, cores=1
    ) | {name: "mine"}


def test_the_package_is_found_from_any_folder_and_a_persons_files_do_not_hide_the_library(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('hidden')")
    done = subprocess.run(
        [sys.executable, "-m", "engine.jobs.supervisor", str(tmp_path)],
        cwd=tmp_path,
        env=stage_environment(dict(os.environ) | {"PYTHONPATH": str(tmp_path / "mine")}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "hidden" not in done.stderr
    assert "is not a run" in done.stderr


def test_a_persons_own_paths_are_kept() -> None:
    given = os.pathsep.join(["/one", "/two"])
    assert stage_environment({"PYTHONPATH": given})["PYTHONPATH"].endswith(given)


def test_cores_are_those_that_may_be_used() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
