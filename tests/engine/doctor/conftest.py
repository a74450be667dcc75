"""The doctor over the small experiment that all tests of the session share."""

from pathlib import Path

import pytest

from engine import config
from engine.runs.schema import CONFIG
from engine.stages import STAGES
from tests.fixtures.doctor import Doctor


@pytest.fixture
def doctor(seven_stages: Path, tmp_path: Path) -> Doctor:
    finished = {stage: seven_stages / stage for stage in STAGES}
    return Doctor(finished, config.read(finished["evaluate"] / CONFIG), tmp_path)
