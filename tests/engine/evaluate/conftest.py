"""A small finished pipeline, written through the formats that the stages declare."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import save_file

from engine import config
from engine.config import Config
from engine.data.profile import targets_hash
from engine.data.sequences import Rows, Sequences
from engine.evaluate.stage import run as evaluate
from engine.runs.run import Run
from engine.runs.schema import ARTIFACTS, CONFIG, RunInfo
from engine.stages import (
    DISTILLED_MODEL,
    ITEMS,
    ORACLE,
    PROFILE,
    SEQUENCES,
    STUDENT_MODEL,
    TEACHER_HELD_OUT,
    TEST,
    USERS,
    VALIDATION,
)
from engine.student.model import SequenceModel, save_student

USER_COUNT, ITEM_COUNT = 40, 60
SMALL = [
    "evaluate.models=[popularity,oracle,student]",
    "student.hidden=8",
    "student.blocks=1",
    "student.max_length=6",
    "evaluate.samples=200",
    "evaluate.timed_requests=3",
]


def rows_of(row: np.ndarray, start: np.ndarray, stop: np.ndarray) -> Rows:
    return Rows(row.astype(np.int32), start.astype(np.int64), stop.astype(np.int64), np.arange(len(start)))


@pytest.fixture(scope="session")
def sequences() -> Sequences:
    """Users with 3 to 14 events, popular items first, some items never seen."""
    draw = np.random.default_rng(4)
    lengths = draw.integers(3, 15, USER_COUNT)
    chances = 1.0 / np.arange(1, ITEM_COUNT - 4)
    items = draw.choice(np.arange(1, ITEM_COUNT - 4), lengths.sum(), p=chances / chances.sum())
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(items.astype(np.int32), offsets.astype(np.int64), np.arange(USER_COUNT))


@pytest.fixture(scope="session")
def held_out(sequences: Sequences) -> Rows:
    """Each user's training events, one more event, and the target."""
    draw = np.random.default_rng(5)
    parts, start, stop = [], [], []
    for user in range(USER_COUNT):
        own = sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]]
        start.append(sum(map(len, parts)))
        parts.append(np.concatenate([own, draw.integers(1, ITEM_COUNT + 1, 2)]))
        stop.append(start[-1] + len(own) + 1)
    return rows_of(np.concatenate(parts), np.array(start), np.array(stop))


@pytest.fixture(scope="session")
def validation_rows(held_out: Rows) -> Rows:
    return Rows(held_out.items, held_out.start, held_out.stop - 1, held_out.users)


class Pipeline:
    """Finished data and student runs in a folder, and evaluations of them."""

    def __init__(self, root: Path, sequences: Sequences, test: Rows, validation: Rows, oracle: bool = True) -> None:
        self.root = root
        data, student = root / "data-1" / ARTIFACTS, root / "student-1" / ARTIFACTS
        data.mkdir(parents=True)
        student.mkdir(parents=True)
        sequences.save(data / SEQUENCES.file)
        test.save(data / TEST.file)
        validation.save(data / VALIDATION.file)
        numbers = np.arange(1, ITEM_COUNT + 1)
        titles = [f"Item {n}" for n in numbers]
        seen = np.bincount(sequences.items, minlength=ITEM_COUNT + 1)[1:]
        items = {"id": numbers, "raw": [f"r{n}" for n in numbers], "title": titles, "text": titles, "seen": seen}
        pq.write_table(pa.table(items), data / ITEMS.file)
        users = [f"u{n}" for n in range(USER_COUNT)]
        pq.write_table(pa.table({"user": np.arange(USER_COUNT), "raw": users}), data / USERS.file)
        profile = {"name": "tiny", "users": USER_COUNT, "items": ITEM_COUNT, "split": "leave-one-out"}
        (data / PROFILE.file).write_text(json.dumps(profile | {"targets_hash": targets_hash(test)}))
        if oracle:
            scores = np.random.default_rng(6).random((USER_COUNT, ITEM_COUNT + 1)).astype(np.float32)
            scores[np.arange(USER_COUNT), test.targets] += 0.9
            save_file({"scores": scores}, data / ORACLE.file)
        torch.manual_seed(7)
        save_student(student / STUDENT_MODEL.file, SequenceModel(ITEM_COUNT, config.load(SMALL).student))
        RunInfo("data-1", "data", "try", 1, "f0").write(data.parent)
        RunInfo("student-1", "student", "try", 1, "f1", {"data": "data-1"}).write(student.parent)
        with Run.open(student.parent) as run:
            run.note(train_seconds=12.5)

    def teach(self, test: Rows, validation: Rows) -> dict[str, np.ndarray]:
        """Add finished teacher, knowledge and distill runs; returns the teacher's answers."""
        draw = np.random.default_rng(8)
        sizes = {"validation": len(validation), "test": len(test), "table": ITEM_COUNT + 1}
        answers = {name: draw.standard_normal((size, 4)).astype(np.float32) for name, size in sizes.items()}
        for stage, inputs in (("teacher", {}), ("knowledge", {"teacher": "teacher-1"}), ("distill", {})):
            folder = self.root / f"{stage}-1"
            (folder / ARTIFACTS).mkdir(parents=True)
            RunInfo(folder.name, stage, "try", 1, stage, {"data": "data-1", **inputs}).write(folder)
            with Run.open(folder) as run:
                run.note(**({"ms_per_request": 250.0} if stage == "knowledge" else {"train_seconds": 99.0}))
        save_file(answers, self.root / "knowledge-1" / ARTIFACTS / TEACHER_HELD_OUT.file)
        torch.manual_seed(9)
        model = SequenceModel(ITEM_COUNT, config.load(SMALL).student)
        save_student(self.root / "distill-1" / ARTIFACTS / DISTILLED_MODEL.file, model)
        return answers

    def plan(self, *words: str, name: str = "evaluate-1", experiment: str = "try") -> tuple[Config, Path]:
        """Configuration and folder of an evaluation that has not begun."""
        settings, folder = config.load([*SMALL, *words]), self.root / name
        folder.mkdir()
        (folder / CONFIG).write_text(config.dump(settings))
        makers = ("data", "student", "knowledge", "distill")
        inputs = {stage: f"{stage}-1" for stage in makers if (self.root / f"{stage}-1").is_dir()}
        RunInfo(name, "evaluate", experiment, settings.seed, "f2", inputs).write(folder)
        return settings, folder

    def evaluate(self, *words: str, **names: str) -> Path:
        """Folder of a finished evaluation."""
        settings, folder = self.plan(*words, **names)
        with Run.open(folder) as run:
            evaluate(settings, run)
        return folder


@pytest.fixture
def pipeline(tmp_path: Path, sequences: Sequences, held_out: Rows, validation_rows: Rows) -> Pipeline:
    return Pipeline(tmp_path, sequences, held_out, validation_rows)


@pytest.fixture
def pipeline_without_oracle(tmp_path: Path, sequences: Sequences, held_out: Rows, validation_rows: Rows) -> Pipeline:
    return Pipeline(tmp_path, sequences, held_out, validation_rows, oracle=False)


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, sequences: Sequences, held_out: Rows, validation_rows: Rows
) -> Path:
    """Folder of one finished evaluation under the usual settings, for tests that only look."""
    return Pipeline(tmp_path_factory.mktemp("runs"), sequences, held_out, validation_rows).evaluate()
