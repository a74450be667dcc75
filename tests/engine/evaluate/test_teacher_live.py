"""A teacher that says titles, asked on the spot. The one that scores items is asked in test_panel."""

import shutil
from importlib import import_module
from pathlib import Path

import pytest

from engine import config
from engine.evaluate.panel import READY, Panel, Question
from engine.runs.run import Run
from engine.runs.schema import CONFIG, RunInfo
from engine.stages import STAGES

WORDS = [
    "teacher=generate",
    "teacher.epochs=1",
    "teacher.evaluations=1",
    "teacher.lora.rank=4",
    "knowledge.top=10",
    "knowledge.rows=random",
    "knowledge.budget=0.02",
    "trainer.report_every=5",
]


@pytest.fixture(scope="module")
def runs(seven_stages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data, student and backbone of all, and a teacher that says titles."""
    root, settings = tmp_path_factory.mktemp("saying"), config.load(WORDS)
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
