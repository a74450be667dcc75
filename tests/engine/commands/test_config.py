"""``engine config``: what it lists."""

import json

import pytest

from engine.cli import main


def test_every_setting_is_printed_with_its_value_and_the_file_that_states_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["config", "student", "student.hidden=32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = {line.split()[0]: line for line in lines if line.startswith(("student.", "seed"))}
    assert "  32  [command line]  (int ≥ 1 ≤ 4096) model width D" in found["student.hidden"]
    assert "  2  [conf/student/sasrec.yaml]" in found["student.blocks"]
    assert "  1  [conf/student/_base.yaml: ${seed}]" in found["student.seed"]
    assert not any(line.startswith(("data", "teacher")) for line in lines)
    assert "experiment=demo   choices: amazon-beauty, amazon-toys" in "\n".join(lines)


def test_without_a_stage_the_settings_of_all_groups_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    sections = {row["key"].split(".")[0] for row in told["settings"]}
    assert sections == {*told["groups"], "seed"} - {"experiment"}
    assert all(row["origin"] for row in told["settings"])


def test_yaml_is_the_configuration_as_a_run_holds_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--yaml", "seed=3"]) == 0
    assert capsys.readouterr().out.startswith("seed: 3\ndata:\n  name: demo\n")
