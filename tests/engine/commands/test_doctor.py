"""``engine doctor`` on a terminal and for programs."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import config, doctor
from engine.cli import main
from engine.data.sequences import Sequences
from engine.doctor.table import CHECKS
from engine.experiments.plan import fingerprints, pipeline
from engine.runs.schema import Exit, RunInfo
from engine.wire import DoctorProgress, Examination, plain, read

QUICK = ["data", "--only", "ids", "--only", "no-leak"]


@pytest.fixture(scope="module")
def finished(new_chain: Callable[[], Any]) -> Path:
    """A small data run and a student's, with the ends that a supervisor writes."""
    runs = new_chain().runs
    for stage in ("data", "student"):
        folder = runs / f"{stage}-20260101-000000-abcd"
        shutil.copytree(runs / stage, folder)
        RunInfo(
            folder.name, stage, "test", 1, stage, {"data": "data-20260101-000000-abcd"} if stage != "data" else {}
        ).write(folder)
        Exit(1, 0, None, "self", "", 1.0, 1, False, 1.0).write(folder)
    return Path(runs)


def test_a_sound_experiment_ends_with_zero_and_one_json_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *QUICK, "--json", "--runs", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert plain(read(Examination, report)) == report
    assert report["sound"] is True and report["seconds"] >= 0
    assert [check["check"] for check in report["checks"]] == ["no-leak", "ids"]
    fields = {"check", "about", "verdict", "evidence", "cause", "remedy", "seconds"}
    assert all(set(check) == fields and check["verdict"] == "pass" for check in report["checks"])
    assert "dry run of data" in captured.err
    assert list(tmp_path.iterdir()) == []  # nothing is left in the folder of runs


def test_a_fault_ends_with_status_2_a_cause_and_a_remedy(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = finished / "data-20260101-000000-abcd" / "artifacts" / "sequences.safetensors"
    sound = Sequences.load(path)
    Sequences(sound.items - 1, sound.offsets, sound.users).save(path)
    try:
        assert main(["doctor", "student-20260101", "--only", "ids", "--runs", str(finished)]) == 2
    finally:
        sound.save(path)
    printed = capsys.readouterr().out
    assert all(part in printed for part in ("✗ ids", "cause:", "remedy:", "NOT SOUND: ✗ 1"))


def test_a_finished_run_is_examined_with_its_inputs(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--only", "health", "--only", "ids"]
    assert main(["doctor", "student-20260101", *arguments, "--json", "--runs", str(finished)]) == 0
    checks = {check["check"]: check["verdict"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks == {"ids": "pass", "student-health": "pass"}


def test_finished_runs_of_the_same_settings_are_examined_and_others_are_not(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"users": 60, "items": 80, "series": 20, "events": 9}
    settings = [f"data.world.{name}={value}" for name, value in sizes.items()]
    folder = finished / "data-20260101-000000-abcd"
    info = RunInfo.read(folder)
    order = pipeline("data", config.load(settings))
    own = fingerprints(order, config.load(settings), tmp_path)["data"]
    for fingerprint, dry in ((own, False), ("another", True)):
        replace(info, fingerprint=fingerprint).write(folder)
        assert main(["doctor", *QUICK, *settings, "--runs", str(finished)]) == 0
        assert ("dry run of data" in capsys.readouterr().err) is dry
    info.write(folder)


def test_every_check_is_listed_with_the_fault_it_detects_and_its_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"`{check.name}`" in printed and check.detects in printed and check.test in printed for check in CHECKS)
    assert main(["doctor", "--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["check"] for row in rows] == [check.name for check in CHECKS]


def test_the_table_in_the_readme_is_the_printed_one(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (Path(doctor.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert main(["doctor", "--list"]) == 0
    assert (
        readme.split("<!-- checks -->")[1].split("<!-- end of checks -->")[0].strip() == capsys.readouterr().out.strip()
    )


def test_an_unknown_check_is_an_error_with_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "data", "--only", "moon", "--runs", str(tmp_path)]) == 2
    assert "engine doctor --list" in capsys.readouterr().err


def test_lines_report_checks_as_they_begin_and_end_and_the_whole_comes_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *QUICK, "--json", "--lines", "--runs", str(tmp_path)]) == 0
    *lines, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    progress = [read(DoctorProgress, line) for line in lines]
    assert [plain(one) for one in progress] == lines
    whole = read(Examination, last)
    assert [one.found for one in progress if one.found] == whole.checks
    assert [one.done for one in progress] == sorted(one.done for one in progress) and progress[-1].done == 2
    assert {one.total for one in progress} == {2} and "no-leak" in [one.now for one in progress]
