"""A teacher that says titles, asked on the spot. The one that scores items is asked in test_panel."""

import json
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from engine import config
from engine.recommend.panel import FAILED, READY, Panel, Question
from engine.runs.run import Run
from engine.runs.schema import CONFIG, RunInfo
from engine.stages import ADAPTER, STAGES

OVERRIDES = [
    "teacher=generate",
    "teacher.epochs=1",
    "teacher.evaluations=1",
    "teacher.lora.rank=4",
    "knowledge.top=10",
    "knowledge.query_selection=random",
    "knowledge.budget=0.02",
    "trainer.report_every=5",
]


@pytest.fixture(scope="module")
def runs(seven_stages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data, student and backbone of all, and a teacher that says titles."""
    root, settings = tmp_path_factory.mktemp("saying"), config.load(OVERRIDES)
    for name in ("data", "student", "backbone"):
        shutil.copytree(seven_stages / name, root / name)
    for name in ("teacher", "knowledge"):
        (root / name).mkdir()
        (root / name / CONFIG).write_text(config.dump(settings), encoding="utf-8")
        RunInfo(name, name, "small", 1, name, {maker: maker for maker in STAGES[name].inputs}).write(root / name)
        with Run.open(root / name) as run:
            import_module(f"engine.{name}.stage").run(settings, run)
    return root


def test_asked_live_a_teacher_that_says_titles_gives_what_it_wrote_down(runs: Path) -> None:
    panel = Panel(runs / "knowledge")
    panel.load("teacher")
    for row in (0, 7):
        history = panel.people.history(row)
        live, stored = (panel.answer(question).columns[1] for question in (Question(history), Question(history, row)))
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
    told = panel.answer(Question(panel.people.history(0))).columns[1]
    assert told.state == FAILED and "another version" in told.note and "engine run teacher --again" in told.note
