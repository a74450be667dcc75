"""What tests of several parts look at: all seven stages of a very small world, made once by the stages themselves."""

import os
import time
from importlib import import_module
from pathlib import Path

import pytest

pytest_plugins = ["tests.fixtures.jobs", "tests.fixtures.evaluations"]

# As a stage on a small machine has it: two workers of pytest on two cores, each with two spinning threads, take ten
# times as long. Read by OpenMP when torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SMALL = [
    "data.world.users=60",
    "data.world.items=80",
    "data.world.series=20",
    "data.world.events=9",
    "student.epochs=2",
    "student.hidden=16",
    "backbone.scratch.steps=4",
    "backbone.scratch.width=16",
    "backbone.scratch.layers=1",
    "backbone.scratch.feedforward=16",
    "backbone.scratch.batch=4",
    "teacher.epochs=1",
    "teacher.evaluations=1",
    "teacher.rank.width=8",
    "teacher.rank.pretrain_epochs=1",
    "teacher.lora.rank=4",
    "knowledge.top=10",
    "distill.student.epochs=1",
    "distill.student.hidden=16",
    "evaluate.models=[student,teacher,distilled]",
    "evaluate.samples=100",
    "evaluate.timed_requests=0",
    "evaluate.candidates=0",
    "trainer.report_every=5",
]


@pytest.fixture(scope="session")
def seven_stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of finished runs, each named after its stage: to be looked at, not changed."""
    from engine import config
    from engine.runs.run import Run
    from engine.runs.schema import CONFIG, Exit, RunInfo
    from engine.stages import STAGES

    root, settings = tmp_path_factory.mktemp("seven-stages"), config.load(SMALL)
    for name, stage in STAGES.items():
        folder = root / name
        folder.mkdir()
        (folder / CONFIG).write_text(config.dump(settings), encoding="utf-8")
        RunInfo(name, name, "small", settings.seed, name, {maker: maker for maker in stage.inputs}).write(folder)
        with Run.open(folder) as run:
            import_module(f"engine.{name}.stage").run(settings, run)
        Exit(1, 0, None, "self", "", 1.0, 10**8, False, time.time()).write(folder)
    return root
