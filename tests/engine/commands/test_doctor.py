"""``engine doctor`` as a person and a program call it."""

import json
import shutil
from dataclasses import replace

import pytest

from engine import config
from engine.cli import main
from engine.data.sequences import Sequences
from engine.doctor.table import CHECKS
from engine.experiments.plan import fingerprints, pipeline
from engine.runs.schema import Exit, RunInfo

QUICK = ["data", "--only", "ids", "--only", "no-leak"]


@pytest.fixture(scope="module")
def finished(new_chain):
    """A small data run and a student's, with the ends that a supervisor writes."""
    runs = new_chain().runs
    for stage in ("data", "student"):
        place = runs / f"{stage}-20260101-000000-abcd"
        shutil.copytree(runs / stage, place)
        RunInfo(
            place.name, stage, "test", 1, stage, {"data": "data-20260101-000000-abcd"} if stage != "data" else {}
        ).write(place)
        Exit(1, 0, None, "self", "", 1.0, 1, False, 1.0).write(place)
    return runs


def test_a_sound_experiment_ends_with_zero_and_one_json_value(tmp_path, capsys):
    assert main(["doctor", *QUICK, "--json", "--runs", str(tmp_path)]) == 0
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert report["sound"] is True and report["seconds"] >= 0
    assert [check["check"] for check in report["checks"]] == ["no-leak", "ids"]
    fields = {"check", "about", "verdict", "evidence", "cause", "remedy", "seconds"}
    assert all(set(check) == fields and check["verdict"] == "pass" for check in report["checks"])
    assert "rehearse data" in told.err
    assert list(tmp_path.iterdir()) == []  # nothing is left in the folder of runs


def test_a_run_that_is_not_sound_ends_with_two_and_is_told_with_cause_and_remedy(finished, capsys):
    path = finished / "data-20260101-000000-abcd" / "artifacts" / "sequences.safetensors"
    sound = Sequences.load(path)
    Sequences(sound.items - 1, sound.offsets, sound.users).save(path)
    try:
        assert main(["doctor", "student-20260101", "--only", "ids", "--runs", str(finished)]) == 2
    finally:
        sound.save(path)
    told = capsys.readouterr().out
    assert "✗ ids" in told and "cause:" in told and "remedy:" in told and "NOT SOUND: ✗ 1" in told


def test_a_finished_run_is_looked_at_with_what_it_was_made_from(finished, capsys):
    arguments = ["--only", "health", "--only", "ids"]
    assert main(["doctor", "student-20260101", *arguments, "--json", "--runs", str(finished)]) == 0
    checks = {check["check"]: check["verdict"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks == {"ids": "pass", "student-health": "pass"}


def test_finished_runs_of_the_same_settings_are_looked_at_and_others_are_not(finished, tmp_path, capsys):
    sizes = {"users": 60, "items": 80, "series": 20, "events": 9}
    settings = [f"data.world.{name}={value}" for name, value in sizes.items()]
    place = finished / "data-20260101-000000-abcd"
    info = RunInfo.read(place)
    order = pipeline("data", config.load(settings))
    own = fingerprints(order, config.load(settings), tmp_path)["data"]
    for print_of, rehearsed in ((own, False), ("another", True)):
        replace(info, fingerprint=print_of).write(place)
        assert main(["doctor", *QUICK, *settings, "--runs", str(finished)]) == 0
        assert ("rehearse data" in capsys.readouterr().err) is rehearsed
    info.write(place)


def test_every_check_is_listed_with_what_it_catches_and_its_proof(capsys):
    assert main(["doctor", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(CHECKS)
    assert all(check.name in line and check.proven in line for check, line in zip(CHECKS, lines[1:], strict=True))


def test_an_unknown_check_is_an_error_with_a_remedy(tmp_path, capsys):
    assert main(["doctor", "data", "--only", "moon", "--runs", str(tmp_path)]) == 2
    assert "engine doctor --list" in capsys.readouterr().err
