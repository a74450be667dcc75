"""cockpit/README.md: its commands, settings and parts are those of the program."""

import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

import cockpit
from cockpit.__main__ import parser
from cockpit.keys import SCREENS, caption
from cockpit.settings import Settings, load

FOLDER = Path(cockpit.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


COMMANDS = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_the_program_takes(command):
    name, *arguments = shlex.split(command)
    assert name == "cockpit"
    try:
        parser().parse_args(arguments)
    except SystemExit as ended:  # what --completion does once it has printed
        assert ended.code == 0


def test_every_option_that_the_text_names_exists():
    known = set(re.findall(r"--[a-z-]+", parser().format_help())) | {"--csv", "--save", "--board"}  # of engine
    assert set(re.findall(r"--[a-z][a-z-]*", README.split("<!-- keys -->")[0])) <= known


def test_the_settings_are_all_settings_with_their_defaults(tmp_path):
    (block,) = blocks("toml")
    file = tmp_path / "settings.toml"
    file.write_text(block, encoding="utf-8")
    settings = load(file)
    assert settings == Settings(keys={"mark": ["space"]})
    assert set(tomllib.loads(block)) == {field.name for field in fields(Settings)}


def test_every_screen_is_described():
    for name, title in SCREENS.items():
        assert f"**{title}**" in README or f"**{caption(name)}**" in README


def test_every_part_of_the_code_has_a_row():
    rows = re.findall(r"^\| (`.*?`) \|", README.split("## The code")[1].split("| to add |")[0], re.MULTILINE)
    named = {name.rstrip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)}
    parts = {path.name for path in FOLDER.iterdir() if path.name not in ("__init__.py", "__pycache__", "README.md")}
    assert named == parts
