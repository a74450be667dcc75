"""A stage is one word: its row in the table, its package, its settings, its folder in ``conf/`` and in the tests."""

import ast
from pathlib import Path

import pytest

from engine import config
from engine.stages import STAGES

ROOT = Path(__file__).parent.parent
BUILT = [name for name, stage in STAGES.items() if stage.built]


@pytest.mark.parametrize("name", BUILT)
def test_a_stage_has_the_same_name_everywhere(name: str) -> None:
    assert (ROOT / "engine" / name / "stage.py").is_file()
    assert (ROOT / "engine" / "config" / "settings" / f"{name}.py").is_file()
    assert (ROOT / "tests" / "engine" / name).is_dir()
    assert config.groups()[name], f"conf/{name} has no choice"
    assert name in config.Config.__annotations__


def compared(file: Path) -> list[str]:
    """Names of stages that a file compares something with."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.MatchValue):
            found.append(node.value)
        elif isinstance(node, ast.Compare):
            if isinstance(node.ops[0], ast.Eq | ast.NotEq):
                found += [node.left, *node.comparators]
            elif isinstance(node.ops[0], ast.In | ast.NotIn):
                found += getattr(node.comparators[0], "elts", [])
    return [str(part.value) for part in found if isinstance(part, ast.Constant) and part.value in STAGES]


def test_a_stage_is_compared_by_name_in_its_own_package_alone() -> None:
    table = ROOT / "engine" / "stages.py"
    wrong = []
    for file in [*(ROOT / "engine").rglob("*.py"), *(ROOT / "cockpit").rglob("*.py")]:
        path = file.relative_to(ROOT)
        wrong += [f"{path}: {name}" for name in compared(file) if path.parts[:2] != ("engine", name) and file != table]
    assert wrong == [], "ask the table (stages.makes, a column of Stage), or the stage's planning.py"


def test_what_a_stage_needs_is_made_by_a_stage_before_it() -> None:
    made: set[str] = set()
    for stage in STAGES.values():
        assert {artifact.stage for artifact in stage.needs} <= made
        assert {artifact.stage for artifact in stage.makes} == {stage.name}
        made.add(stage.name)


def test_only_evaluate_may_open_the_test_rows() -> None:
    readers = {
        name for name, stage in STAGES.items() if any(artifact.file == "test.safetensors" for artifact in stage.needs)
    }
    assert readers == {"evaluate"}


def test_no_two_artifacts_of_a_stage_share_a_file() -> None:
    for stage in STAGES.values():
        files = [artifact.file for artifact in stage.makes]
        assert len(files) == len(set(files))
