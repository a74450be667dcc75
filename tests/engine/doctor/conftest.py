"""A small experiment with every stage finished, and a doctor who looks at it, at altered copies, or at broken code."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from engine import config as configuration
from engine.config import Config
from engine.doctor.case import Case
from engine.doctor.outcome import FAIL, Outcome
from engine.doctor.table import CHECKS, examine
from engine.experiments.plan import inputs_of, pipeline
from engine.runs.schema import CONFIG

STAGES = ("data", "student", "backbone", "teacher", "knowledge", "distill", "evaluate")


@pytest.fixture(scope="session")
def done(seven_stages) -> Mapping[str, Path]:
    """Stage -> folder of its finished run."""
    return {stage: seven_stages / stage for stage in STAGES}


@pytest.fixture(scope="session")
def settings(done) -> Config:
    return configuration.read(done["evaluate"] / CONFIG)


@pytest.fixture
def case(done, settings, tmp_path) -> Callable[..., Case]:
    """An experiment of which the stages ``finished`` are done; ``altered`` runs take the place of sound ones."""

    def make(*finished: str, altered: Mapping[str, Path] | None = None, config: Config | None = None) -> Case:
        config, altered = config or settings, altered or {}
        runs = {**altered, **{stage: done[stage] for stage in finished if stage not in altered}}
        scratch = Path(tempfile.mkdtemp(dir=tmp_path))
        order = pipeline("evaluate", config)
        return Case(
            config, {stage.name: inputs_of(stage, config) for stage in order}, runs, scratch, lambda phase: None
        )

    return make


@pytest.fixture
def copy(done, tmp_path) -> Callable[[str], Path]:
    """A copy of a finished run, to be altered."""

    def make(stage: str) -> Path:
        return Path(shutil.copytree(done[stage], tmp_path / "altered" / stage, symlinks=True))

    return make


@pytest.fixture
def look() -> Callable[..., dict[str, Outcome]]:
    """What the checks of these names say about a case."""

    def carry_out(case: Case, *names: str) -> dict[str, Outcome]:
        checks = [check for check in CHECKS if check.name in names]
        assert len(checks) == len(names), f"{names} are not all checks"
        return {found.check.name: found.outcome for found in examine(case, checks)}

    return carry_out


@pytest.fixture
def named(look) -> Callable[[Case, str], Outcome]:
    """The outcome of a check that fails, with a likely cause and a remedy."""

    def carry_out(case: Case, name: str) -> Outcome:
        outcome = look(case, name)[name]
        assert outcome.verdict == FAIL, outcome
        assert outcome.evidence and outcome.cause and outcome.remedy
        return outcome

    return carry_out
