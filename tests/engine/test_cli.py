"""The command line: output, streams and exit statuses."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli import main, parser
from engine.jobs.store import Store


def engine(*arguments: str, runs: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a shell starts it."""
    environment = os.environ | ({"ENGINE_RUNS": str(runs)} if runs else {})
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments], capture_output=True, text=True, env=environment, timeout=120
    )


def test_help_takes_under_fifteen_hundredths_of_a_second_of_cpu() -> None:
    def cpu() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "COMMAND" in engine("--help").stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu() for _ in range(3)) < 0.15  # the least: another process may share the core


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "data", "data.wrld=3"], "there is no setting 'data.wrld'"),
        (["run", "student", "student.dropot=0.3"], "Did you mean student.dropout"),
        (["run", "student", "student.dropout=2"], "less than 1"),
        (["run", "studnet"], "Did you mean student"),
        (["run", "data", "student"], "one stage at a time"),
        (["run", "data", "data=ml-100k", "data.path=nowhere"], "nowhere"),
        (["show", "nothing"], "there is no run 'nothing'"),
        (["stop"], "no run is named"),
        (["compare"], "needs two groups"),
        (["results", "--csv", "no/such/folder/file.csv", "x"], "no/such/folder"),
    ],
)
def test_a_persons_mistake_is_one_message_on_stderr_and_status_2(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    done = engine(*arguments, runs=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_unknown_command_and_an_unknown_option_are_status_2() -> None:
    for arguments in (["rnu"], ["runs", "--jsn"]):
        done = engine(*arguments)
        assert done.returncode == 2
        assert arguments[-1] in done.stderr


def test_options_may_stand_between_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "data", "--plan", "data.world.users=50", "--runs", str(tmp_path), "--json"]) == 0
    (step,) = json.loads(capsys.readouterr().out)["steps"]
    assert (step["stage"], step["action"]) == ("data", "new")


def test_a_plan_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "student", "--plan", "--runs", str(tmp_path)]) == 0
    assert "no student run yet" in capsys.readouterr().out
    assert [entry for entry in tmp_path.iterdir() if not entry.name.startswith(".")] == []


SMALL = ["data.world.users=60", "data.world.items=80", "data.world.series=20"]


def test_the_data_stage_ends_with_counts_for_programs(tmp_path: Path) -> None:
    done = engine("run", "data", *SMALL, "--json", runs=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["run"] == facts["runs"]["data"]
    assert facts["users"] == 60
    assert facts["items"] <= 80
    assert facts["interactions"] == sum(facts["rows"].values())
    again = engine("run", "data", *SMALL, runs=tmp_path)
    assert "reused" in again.stderr
    assert len(Store(tmp_path).scan()) == 1


def test_a_detached_run_goes_on_after_its_starter(tmp_path: Path) -> None:
    done = engine("run", "data", *SMALL, "--detach", "--json", runs=tmp_path)
    run = json.loads(done.stdout)["runs"]["data"]
    engine("logs", run, "--follow", runs=tmp_path)  # returns when the run has ended
    assert json.loads(engine("runs", "--json", runs=tmp_path).stdout)[0]["state"] == "DONE"


def test_settings_are_listed_for_programs_with_type_limits_and_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "student", "student.dropout=0.4", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    by_key = {row["key"]: row for row in listed["settings"]}
    assert by_key["student.dropout"]["value"] == 0.4
    assert (by_key["student.dropout"]["type"], by_key["student.dropout"]["below"]) == ("float", 1)
    assert "sasrec" in by_key["student.model"]["choices"]
    assert not any(key.startswith("data.") for key in by_key)
    assert listed["groups"]["data"]["choice"] == "demo"
    assert "demo" in listed["experiments"]


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        f"'{sys.executable}' -m engine config | head -1", shell=True, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""


@pytest.mark.parametrize("below", ["", "below"])
@pytest.mark.parametrize(
    "words",
    [
        *(["run", "data"], ["run", "--plan"], ["sweep", "--plan", "student.dropout=0.1,0.2"], ["runs"], ["queue"]),
        *(["tune", "student.dropout=0.1..0.5"], ["results"], ["compare", "a", "b"], ["doctor"], ["show", "last"]),
        *(["logs", "last"], ["stop", "last"], ["resume", "last"], ["rm", "last"], ["recommend", "last"]),
        *(["serve-local", "last"], ["export", "last", "--to", "x"]),
    ],
    ids=" ".join,
)
def test_a_file_is_no_folder_of_runs(
    words: list[str], below: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*words, "--runs", str(tmp_path / "file" / below)]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'file'}: is a file, not a folder\nChoose another folder with --runs DIR.\n"
    )


def test_a_folder_of_runs_that_cannot_be_read_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--runs", str(tmp_path / ("x" * 300))]) == 2
    assert "cannot be read: File name too long" in capsys.readouterr().err


def test_histories_that_are_given_twice_are_one(tmp_path: Path) -> None:
    words = ["recommend", "last", "--history", "A", "B", "--count", "3", "--history", "C"]
    assert parser().parse_args(words).history == ["A", "B", "C"]


@pytest.mark.parametrize("words", [["runs", "--runs", "\0"], ["results", "--csv", "a\0"], ["show", "\0"]], ids=repr)
def test_an_argument_with_a_nul_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "NUL" in capsys.readouterr().err


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}], ids=str)
def test_arguments_are_utf8_whatever_the_locale(environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "engine", "show", "Amélie", "--runs", str(tmp_path)],
        capture_output=True,
        env={**os.environ, **environment, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 2
    assert "Amélie" in done.stderr.decode()
