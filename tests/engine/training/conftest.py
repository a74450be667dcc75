from pathlib import Path

import pytest

from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id


@pytest.fixture
def run(tmp_path: Path) -> Run:
    info = RunInfo(id=new_id("student"), stage="student", experiment="test", seed=1, fingerprint="f")
    return Run(Store(tmp_path / "runs").create(info, "seed: 1\n"))
