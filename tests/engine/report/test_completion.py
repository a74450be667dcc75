"""Completion scripts, in the shells themselves where they are installed."""

import argparse
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cockpit.__main__ import parser as cockpit
from engine.cli import main, parser
from engine.commands.completion import words
from engine.config import declared, groups
from engine.report.completion import SHELLS, commands_of, script
from engine.stages import STAGES

SECONDS = 0.15
RUNS = ("evaluate-20260102-000000-aaaa", "student-20260101-000000-bbbb")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    for shell in SHELLS:
        for program in (parser(), cockpit()):
            (folder / f"{program.prog}.{shell}").write_text(
                script(shell, program, words() if program.prog == "engine" else {})
            )
    for run in RUNS:
        (folder / "runs" / run).mkdir(parents=True)
        (folder / "runs" / run / "run.json").touch()
    (folder / "other" / "data-1").mkdir(parents=True)
    (folder / "other" / "data-1" / "run.json").touch()
    (folder / "ratings.csv").touch()
    return folder


def bash(scripts: Path, line: str) -> list[str]:
    """What bash offers for the word at the end of a line, as readline would put it in."""
    program = line.split()[0]
    code = f"""
source {scripts}/{program}.bash
compopt() {{ echo "$*" >> options; }}  # outside of a key press bash refuses it
COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}
read -r -a COMP_WORDS <<< "${{COMP_LINE//=/ = }}"
[[ $COMP_LINE == *[[:space:]] || $COMP_LINE == *= ]] && COMP_WORDS+=("")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_{program}_complete
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    environment = {name: value for name, value in os.environ.items() if name != "ENGINE_RUNS"}
    done = subprocess.run(["bash", "--norc", "-c", code], cwd=scripts, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and done.stderr == ""
    return [word for word in done.stdout.splitlines() if word]


needs_bash = pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")


@needs_bash
def test_commands_options_and_their_choices_are_completed(scripts: Path) -> None:
    assert bash(scripts, "engine re") == ["resume", "results", "recommend"]
    assert bash(scripts, "engine results --f") == ["--format"]
    assert bash(scripts, "engine results --format ") == ["markdown", "latex", "html", "csv"]
    assert bash(scripts, "engine results --format l") == ["latex"]
    assert bash(scripts, "engine run --experiment ") == []
    assert bash(scripts, "engine queue uns") == [] and bash(scripts, "engine queue unp") == ["unpause"]
    assert bash(scripts, "engine export mod") == ["model"]
    assert bash(scripts, "engine verify ml") == ["ml-100k"]
    assert bash(scripts, "cockpit --print re") == ["result"] and "--runs" in bash(scripts, "cockpit --")


@needs_bash
def test_stages_settings_and_their_values_are_completed(scripts: Path) -> None:
    assert bash(scripts, "engine run stu")[0] == "student"
    assert bash(scripts, "engine run student student.drop") == ["student.dropout="]
    assert (scripts / "options").read_text() == "-o nospace\n"
    assert bash(scripts, "engine run student.normalise=t") == ["true"]  # readline keeps what stands before the =
    assert set(bash(scripts, "engine run data=")) == set(groups()["data"])
    assert bash(scripts, "engine run --plan trainer=c") == ["cpu"]
    assert bash(scripts, "engine show student.drop") == []


@needs_bash
def test_run_ids_are_those_of_the_folder(scripts: Path) -> None:
    assert bash(scripts, "engine show ") == ["evaluate-20260102-000000-aaaa", "student-20260101-000000-bbbb", "last"]
    assert bash(scripts, "engine show stu") == ["student-20260101-000000-bbbb"]
    assert bash(scripts, "engine show --runs other d") == ["data-1"]
    assert bash(scripts, "engine doctor eva")[:3] == ["evaluate-20260102-000000-aaaa", "evaluate", "evaluate="]


@needs_bash
def test_files_are_completed_where_an_option_or_a_command_takes_them(scripts: Path) -> None:
    assert bash(scripts, "engine recommend --file rat") == ["ratings.csv"]
    assert bash(scripts, "engine data rat") == ["ratings.csv"]
    assert bash(scripts, "cockpit --runs ot") == ["other"]


@needs_bash
def test_a_completion_takes_no_time_among_many_runs(scripts: Path, tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"student-{number:04}").mkdir()
        (tmp_path / f"student-{number:04}" / "run.json").touch()
    code = f"""
source {scripts}/engine.bash
COMP_LINE='engine show stu'; COMP_POINT=15; COMP_WORDS=(engine show stu); COMP_CWORD=2
_engine_complete; echo ${{#COMPREPLY[@]}}; times
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", code], capture_output=True, text=True, env=os.environ | {"ENGINE_RUNS": str(tmp_path)}
    )
    count, own, _ = done.stdout.splitlines()
    assert count == "1000"
    assert sum(60 * float(m) + float(s) for m, s in (part[:-1].split("m") for part in own.split())) < SECONDS


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_its_script(shell: str, scripts: Path) -> None:
    program = shutil.which(shell)
    if not program:
        pytest.skip(f"{shell} is not installed")
    for name in ("engine", "cockpit"):
        done = subprocess.run([program, "-n", str(scripts / f"{name}.{shell}")], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes_commands_settings_and_runs(scripts: Path) -> None:
    for line, expected in (
        ("engine resu", "results"),
        ("engine run student.drop", "student.dropout="),
        ("engine run student.normalise=t", "student.normalise=true"),
        ("engine show stu", "student-20260101-000000-bbbb"),
        ("engine results --format l", "latex"),
        ("cockpit --print re", "result"),
    ):
        code = f"source {line.split()[0]}.fish; complete -C {line!r}"
        done = subprocess.run(["fish", "--no-config", "-c", code], cwd=scripts, capture_output=True, text=True)
        assert expected in [one.split("\t")[0] for one in done.stdout.splitlines()], done.stderr


def test_every_command_and_option_of_the_parser_is_in_every_script(scripts: Path) -> None:
    for command in commands_of(parser()):
        for shell in SHELLS:
            text = (scripts / f"engine.{shell}").read_text()
            assert command.name in text
            for option in command.options:
                assert all((name if shell != "fish" else name.lstrip("-")) in text for name in option.names)
    keys = words()["KEY"]
    assert {f"{name}=" for name in (*declared(), *groups())} == {*keys}
    assert [one.name for one in commands_of(parser())][:2] == ["run", "sweep"] and "stage" not in {
        one.name for one in commands_of(parser())
    }
    assert set(words()["STAGE"]) == set(STAGES)


def test_the_option_prints_the_script_and_ends_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--completion", "bash"])
    assert ended.value.code == 0 and "complete -o default -F _engine_complete engine" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--completion", "tcsh"])
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err


def test_a_parser_without_commands_is_one_command() -> None:
    plain = argparse.ArgumentParser(prog="tool")
    plain.add_argument("--level", choices=("low", "high"), help="50 %% or so")
    (command,) = commands_of(plain)
    assert (command.name, command.options[1].value, command.options[1].help) == ("", "low high", "50 % or so")
