from pathlib import Path
from typing import Any

import pytest

from engine.stages import PROFILE
from tests.fixtures.runs import Clock


@pytest.fixture
def folder(bench: Any) -> Path:
    """A student's run whose data run has made some of its artifacts."""
    data = bench.create("data")
    (data / "artifacts").mkdir()
    (data / "artifacts" / PROFILE.file).write_text("{}")
    return bench.create("student", inputs={"data": data.name})  # type: ignore[no-any-return]


@pytest.fixture
def clock() -> Clock:
    return Clock()
