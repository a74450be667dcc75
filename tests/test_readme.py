"""Every README says what is true: its commands, its tree, its tables and its links."""

import pkgutil
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
DOCUMENTS = {
    file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
    for file in [
        ROOT / "README.md",
        *sorted(file for room in ("engine", "cockpit", "conf", "tests") for file in (ROOT / room).rglob("*.md")),
    ]
}


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [body for name, body in found if name == language]


def tree() -> list[str]:
    """Paths that the tree names."""
    drawing = next(block for block in blocks(README, "") if block.startswith("engine/"))
    paths, folder = [], ""
    for line in drawing.splitlines():
        indented = line.startswith("  ")
        folder = folder if indented else ""
        names = re.match(r"\s*((?:[\w/]+(?:/|\.py) ?)+)", line)
        assert names, line
        paths += [folder + name for name in names[1].split()]
        folder = folder if indented else names[1].split()[0]
    return paths


def section(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_readme_is_short_enough_to_be_read_to_its_end() -> None:
    assert README.count("\n") <= 200
    assert len(README.encode()) <= 14_000


def test_the_first_screen_is_a_sentence_a_result_and_two_commands() -> None:
    first = README.split("## ")[0]
    assert len([block for block in blocks(README, "sh") if block in first]) == 2
    for marker in ("<!-- run -->", "<!-- tests -->"):
        assert first.index(marker) < first.index("python3 -m venv", first.index(marker)) < len(first)


def test_ci_runs_the_readmes_test_command() -> None:
    assert "README.md" in (ROOT / ".ci" / "run").read_text()
    assert "pytest" in README.split("<!-- tests -->")[1].split("```")[1]


def commands() -> list[tuple[str, str]]:
    """(document, command) of every line of a shell block that calls ``engine``."""
    lines = [
        (name, line.split("#")[0].strip())
        for name, text in DOCUMENTS.items()
        for block in blocks(text, "sh")
        for line in block.splitlines()
    ]
    return [(name, part.strip()) for name, line in lines for part in line.split("&&") if part.strip()[:7] == "engine "]


@pytest.mark.parametrize(("document", "command"), commands())
def test_an_engine_command_is_one_that_the_program_takes(document: str, command: str) -> None:
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


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_to_a_file(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", re.sub(r"^```.*?^```", "", DOCUMENTS[name], flags=re.DOTALL | re.MULTILINE))
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


def test_every_path_of_the_tree_is_there() -> None:
    assert [path for path in tree() if not (ROOT / path).exists()] == []


def test_every_part_of_the_engine_is_in_the_tree() -> None:
    parts = {
        entry.name + ("/" if entry.is_dir() else "")
        for entry in (ROOT / "engine").iterdir()
        if not entry.name.startswith("_") and entry.suffix != ".md"
    }
    assert {f"engine/{part}" for part in parts} - set(tree()) == set()


def test_the_stage_table_is_the_table() -> None:
    rows = [line.split("|") for line in section("The stages").splitlines() if line.startswith("| `")]
    shown = [tuple(cell.strip() for cell in row[1:5]) for row in rows]
    assert shown == [
        (
            f"`{stage.name}`",
            stage.help,
            ", ".join(stage.inputs) or "-",
            ", ".join(artifact.file.split(".")[0].replace("_", " ") for artifact in stage.makes),
        )
        for stage in STAGES.values()
    ]


def test_the_table_of_keys_is_the_one_the_cockpit_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert cockpit(["--keys"]) == 0
    printed = capsys.readouterr().out.strip()
    shown = DOCUMENTS["cockpit/README.md"].split("<!-- keys -->")[1].split("<!-- end of keys -->")[0].strip()
    assert shown == printed


def formulas() -> list[tuple[str, str, str]]:
    """(document, function, test) of every row of a section "Formulas"."""
    found = []
    for name, text in DOCUMENTS.items():
        for part in text.split("## Formulas\n")[1:]:
            rows = [line.split("|") for line in part.split("\n## ")[0].splitlines() if line.startswith("| ")]
            found += [(name, row[-3].strip(" `"), row[-2].strip(" `")) for row in rows[1:] if "---" not in row[1]]
    return found


@pytest.mark.parametrize(("document", "function", "test"), formulas())
def test_a_formula_names_a_function_and_a_test_that_exist(document: str, function: str, test: str) -> None:
    assert callable(pkgutil.resolve_name(function))
    assert (ROOT / test).is_file()


def test_the_rooms_that_compute_give_their_formulas() -> None:
    assert {document.split("/")[1] for document, _, _ in formulas()} >= {
        "distill",
        "evaluate",
        "metrics",
        "student",
        "teacher",
    }
