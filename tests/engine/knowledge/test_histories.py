"""Student, teacher and knowledge read the same latest items before a held-out row, whatever data.window is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import config
from engine.data.sequences import Rows, Sequences
from engine.data.stage import run as prepare
from engine.runs.run import Run
from engine.runs.schema import ARTIFACTS, CONFIG, RunInfo
from engine.stages import PROFILE, TEST, TEST_HISTORIES
from engine.student.batches import histories
from engine.student.model import SequenceModel
from engine.student.validation import user_vectors
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.prompting.spans import heldout_spans


def prepared(folder: Path, *overrides: str) -> Path:
    """Artifacts of a data run of a small demo world."""
    world = ["data=demo", "data.world.users=30", "data.world.items=60"]
    settings = config.load([*world, *overrides])
    folder.mkdir()
    (folder / CONFIG).write_text(config.dump(settings))
    RunInfo(folder.name, "data", "try", 1, "f").write(folder)
    with Run.open(folder) as run:
        prepare(settings, run)
    return folder / ARTIFACTS


@pytest.mark.parametrize("max_length", [3, 12, 50])
@pytest.mark.parametrize("window", [2, 50])
def test_test_rows_are_read_as_the_student_reads_them(tmp_path: Path, max_length: int, window: int) -> None:
    data = prepared(tmp_path / "data-1", f"data.window={window}")
    test, kept = Rows.load(data / TEST.file), Sequences.load(data / TEST_HISTORIES.file)
    asked = Rows(kept.items, kept.offsets[:-1], kept.offsets[1:], kept.users)  # as knowledge asks
    items = int(json.loads((data / PROFILE.file).read_text())["items"])
    torch.manual_seed(1)
    model = SequenceModel(items, config.load([f"student.max_length={max_length}"]).student).eval()

    evaluated = model.user_vectors(histories(test, slice(None), model.max_length)).detach()
    states: Any = FrozenStudent.of(model).after_rows(asked, "cpu", lambda done, total: None)
    torch.testing.assert_close(states, evaluated)
    torch.testing.assert_close(user_vectors(model, test.items, test.start, test.stop, "cpu"), evaluated)
    for history in (1, 12, 200):
        shown = heldout_spans(asked, history).history
        own = [test.items[max(a, b - history) : b] for a, b in zip(test.start, test.stop, strict=True)]
        assert [row[row > 0].tolist() for row in shown] == [part.tolist() for part in own]
    assert np.diff(kept.offsets).max() > 12  # longer than the shortest limits, so that they are put to the test
