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
PARTS = ("engine", "cockpit", "conf", "tests")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
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
    """Every engine command of every document."""
    documents = [ROOT / "README.md", *(path for part in PARTS for path in sorted((ROOT / part).rglob("*.md")))]
    texts = [path.read_text(encoding="utf-8") for path in documents]
    lines = [line.split("#")[0] for text in texts for block in blocks("sh", text) for line in block.splitlines()]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return list(dict.fromkeys(part for part in parts if part.startswith("engine ")))


@pytest.mark.parametrize("command", commands())
def test_an_engine_command_is_one_that_the_program_takes(command: str) -> None:
    options, rest = parser().parse_known_args(shlex.split(command)[1:])
    assert not [argument for argument in rest if argument.startswith("-")]
    if options.command not in ("run", "sweep", "tune", "config", "bench"):
        return
    stage, settings = stage_and_settings([*options.overrides, *rest])
    assert stage in STAGES
    if options.command == "sweep":
        assert len(combinations(settings)) > 1
    elif options.command == "tune":
        assert space(settings).searched
    else:
        load(settings)


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
