"""The same seed gives the same numbers: all seven stages of a tiny world, twice, with real processes."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.jobs.state import State
from engine.jobs.store import Store
from engine.stages import COMPARISONS, OVERLAPS, SLICES_TABLE, STAGES

TINY = [
    *("data.world.users=60", "data.world.items=80", "data.world.series=20", "student.hidden=8", "student.blocks=1"),
    *("student.batch=32", "student.epochs=2", "student.max_length=10", "backbone.scratch.vocabulary=400"),
    *("backbone.scratch.width=16", "backbone.scratch.layers=1", "backbone.scratch.heads=2"),
    *("backbone.scratch.feedforward=32", "backbone.scratch.steps=6", "backbone.scratch.evaluate_every=3"),
    *("backbone.scratch.warmup=2", "teacher.history=4", "teacher.lora.rank=4", "teacher.lora.experts=2"),
    *("teacher.rank.width=8", "teacher.rank.pretrain_epochs=1", "teacher.steps=4", "knowledge.top=20"),
    *("distill.kl.top=10", "evaluate.samples=100", "evaluate.timed_requests=2"),
    "evaluate.models=[popularity,student,teacher,distilled,oracle]",
]
NAMES, TIMES = {"run", "made_by"}, {"train_seconds", "ms_per_request"}


def engine(*arguments: str, runs: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "engine", *arguments, "--runs", str(runs)],
        capture_output=True,
        text=True,
        timeout=1200,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def without(text: str, columns: set[str]) -> list[list[str]]:
    """The cells of a CSV, as written, but for some columns."""
    head, *rows = csv.reader(text.splitlines())
    kept = [place for place, name in enumerate(head) if name not in columns]
    return [[row[place] for place in kept] for row in (head, *rows)]


@pytest.mark.slow
def test_the_same_seed_twice_gives_the_same_csv_but_for_names_and_times(tmp_path: Path) -> None:
    tables, files = [], []
    for name in ("one", "two"):
        runs = tmp_path / name
        engine("run", "evaluate", *TINY, runs=runs)
        states = {entry.info.stage: entry.state for entry in Store(runs).scan()}
        assert states == dict.fromkeys(STAGES, State.DONE)
        tables.append(without(engine("results", "--all", "--csv", "-", runs=runs), NAMES | TIMES))
        (folder,) = runs.glob("evaluate-*/artifacts")
        files.append([(folder / made.file).read_bytes() for made in (SLICES_TABLE, COMPARISONS, OVERLAPS)])
    assert tables[0] == tables[1]
    assert len(tables[0]) == 28  # 5 models on test rows and all but the oracle on validation rows, 3 protocols each
    assert files[0] == files[1]
