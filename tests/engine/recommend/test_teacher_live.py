"""A teacher that generates titles, asked live. The one that scores items is tested in test_panel."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from engine.recommend.panel import FAILED, READY, Panel, RecommendRequest
from engine.stages import ADAPTER


@pytest.fixture
def runs(generative: Any) -> Path:
    """The runs of a teacher that generates titles."""
    folder: Path = generative.runs
    return folder


def test_asked_live_a_teacher_that_says_titles_gives_what_it_wrote_down(runs: Path) -> None:
    panel = Panel(runs / "knowledge")
    panel.load("teacher")
    for row in (0, 7):
        history = panel.users.history(row)
        live, stored = (
            panel.answer(question).columns[1]
            for question in (RecommendRequest(history), RecommendRequest(history, row))
        )
        assert (live.state, live.source, stored.source) == (READY, "live", "knowledge"), live.note
        assert [item.item for item in live.items] == [item.item for item in stored.items]
        assert [item.score for item in live.items] == pytest.approx([item.score for item in stored.items], abs=1e-4)
        assert live.gates == pytest.approx(stored.gates, abs=1e-3)


def test_a_teacher_of_another_version_says_what_helps(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    adapter = tmp_path / "runs" / "teacher" / "artifacts" / ADAPTER.file
    with safe_open(adapter, "pt") as file:
        about = json.loads(file.metadata()["teacher"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    del about["settings"]["history"]
    save_file(state, adapter, metadata={"teacher": json.dumps(about)})
    panel = Panel(tmp_path / "runs" / "knowledge")
    panel.load("teacher")
    found = panel.answer(RecommendRequest(panel.users.history(0))).columns[1]
    assert found.state == FAILED and "another version" in found.note and "engine run teacher --again" in found.note
