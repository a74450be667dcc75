"""The small experiment of a dry run: the first users and rows, with the ids and indices of the whole."""

from pathlib import Path

import pytest
import torch

from engine.data.sequences import Rows, Sequences
from engine.doctor import subset
from engine.knowledge.rankings import Rankings
from engine.runs.schema import RunInfo
from engine.stages import ITEMS, LAST_POSITION, RANKINGS, SEQUENCES, TEST, VALIDATION
from tests.fixtures.doctor import Doctor

USERS, ROWS = 20, 10


@pytest.fixture
def small(seven_stages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(subset, "USERS", USERS)
    monkeypatch.setattr(subset, "ROWS", ROWS)
    return subset.data(seven_stages / "data", tmp_path / "subset")


def test_the_data_holds_the_first_users_and_rows_with_the_same_ids(seven_stages: Path, small: Path) -> None:
    whole, part = seven_stages / "data" / "artifacts", small / "artifacts"
    sequences, kept = (Sequences.load(folder / SEQUENCES.file) for folder in (whole, part))
    assert len(kept) == USERS < len(sequences)
    assert (kept.items == sequences.items[: len(kept.items)]).all() and (kept.users == sequences.users[:USERS]).all()
    for artifact in (VALIDATION, TEST):
        rows, first = (Rows.load(folder / artifact.file) for folder in (whole, part))
        assert len(first) == ROWS and (first.targets == rows.targets[:ROWS]).all()
    assert (part / ITEMS.file).resolve() == (whole / ITEMS.file).resolve()  # it does not depend on users
    assert RunInfo.read(small).stage == "data"


def test_the_knowledge_holds_the_rankings_of_the_kept_events_only(
    seven_stages: Path, small: Path, tmp_path: Path
) -> None:
    kept = Sequences.load(small / "artifacts" / SEQUENCES.file)
    folder = subset.knowledge(seven_stages / "knowledge", tmp_path, kept)
    events = len(kept.items)
    for artifact, last in ((RANKINGS, events - 1), (LAST_POSITION, events)):
        whole = Rankings.load(seven_stages / "knowledge" / "artifacts" / artifact.file)
        part = Rankings.load(folder / "artifacts" / artifact.file)
        inside = whole.rows <= last
        assert 0 < len(part.rows) < len(whole.rows)
        assert torch.equal(part.rows, whole.rows[inside]) and torch.equal(part.items, whole.items[inside])
    assert subset.knowledge(seven_stages / "knowledge", tmp_path, kept) == folder  # made once


def test_short_settings_change_the_duration_and_not_the_model(doctor: Doctor) -> None:
    short = subset.short(doctor.settings)
    assert short.teacher.steps == subset.STEPS and short.student.epochs == 1 and short.student.patience == 0
    assert (short.student.hidden, short.student.loss) == (doctor.settings.student.hidden, doctor.settings.student.loss)
    assert short.data == doctor.settings.data and short.teacher.lora == doctor.settings.teacher.lora
