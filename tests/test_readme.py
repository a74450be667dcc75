"""The README says what is true: its commands, its tree, its tables."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from cockpit.__main__ import main as cockpit
from engine.cli import parser
from engine.commands.overrides import stage_and_settings
from engine.config import load
from engine.experiments.sweep import combinations
from engine.experiments.tune import space
from engine.stages import STAGES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def tree() -> list[str]:
    """Paths that the tree names."""
    drawing = next(block for block in blocks("") if block.startswith("engine/"))
    paths, folder = [], ""
    for line in drawing.splitlines():
        name = line.split()[0]
        folder = "" if not line.startswith(" ") else folder
        paths.append(folder + name)
        folder = name if not line.startswith(" ") and name.endswith("/") else folder
    return paths


def section(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_first_screen_is_a_sentence_a_picture_and_two_commands() -> None:
    first = README.split("## ")[0]
    assert len([block for block in blocks("sh") if block in first]) == 2
    for marker in ("<!-- run -->", "<!-- tests -->"):
        assert first.index(marker) < first.index("python3 -m venv", first.index(marker)) < len(first)


def test_ci_runs_the_readmes_test_command() -> None:
    assert "README.md" in (ROOT / ".ci" / "run").read_text()
    assert "pytest" in README.split("<!-- tests -->")[1].split("```")[1]


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [part.strip() for line in lines for part in line.split("&&") if part.strip().startswith("engine ")]


@pytest.mark.parametrize("command", commands())
def test_an_engine_command_is_one_that_the_program_takes(command: str) -> None:
    words = shlex.split(command)[1:]
    options, rest = parser().parse_known_args(words)
    assert not [word for word in rest if word.startswith("-")]
    if options.command == "sweep":
        stage, settings = stage_and_settings([*options.overrides, *rest])
        assert len(combinations(settings)) > 1
    if options.command == "tune":
        _, settings = stage_and_settings([*options.overrides, *rest])
        assert space(settings).searched
    if options.command in ("run", "config"):
        stage, settings = stage_and_settings([*options.overrides, *rest])
        load(settings)
        assert stage in STAGES


def test_every_path_of_the_tree_is_there() -> None:
    assert [path for path in tree() if not (ROOT / path).exists()] == []


def test_every_part_of_the_engine_is_in_the_tree() -> None:
    parts = {
        entry.name + ("/" if entry.is_dir() else "")
        for entry in (ROOT / "engine").iterdir()
        if not entry.name.startswith("_")
    }
    assert {f"engine/{part}" for part in parts} - set(tree()) == set()


def test_the_stage_table_is_the_table() -> None:
    for stage in STAGES.values():
        row = next(line for line in section("The stages").splitlines() if line.startswith(f"| `{stage.name}` |"))
        assert stage.help in row
        assert row.split("|")[3].strip() == (", ".join(stage.inputs) or "-")


def test_the_table_of_keys_is_the_one_the_cockpit_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert cockpit(["--keys"]) == 0
    printed = capsys.readouterr().out.strip()
    readme = (ROOT / "cockpit" / "README.md").read_text(encoding="utf-8")
    assert readme.split("<!-- keys -->")[1].split("<!-- end of keys -->")[0].strip() == printed


def rows_of_formulas() -> list[tuple[str, str]]:
    cells = [line.split("|") for line in section("Formulas").splitlines() if line.count("`") == 4]
    return [(row[-3].strip(" `"), row[-2].strip(" `")) for row in cells]


@pytest.mark.parametrize(("function", "test"), rows_of_formulas())
def test_a_formula_names_a_function_and_a_test_that_exist(function: str, test: str) -> None:
    module, _, name = function.rpartition(".")
    assert hasattr(importlib.import_module(module), name)
    assert (ROOT / test).is_file()
