"""``engine bench``: one row per stage, and no run is left."""

import json
from pathlib import Path

import pytest

from engine.cli import main

SMALL = ["data.world.users=60", "data.world.items=80", "data.world.series=20"]


def test_a_row_per_stage_is_printed_and_no_run_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "data", *SMALL, "trainer.accelerator=cpu", "--runs", str(tmp_path)]
    assert main([*arguments, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["stage"], row["unit"], row["floor"]) == ("data", "events", None)
    assert row["rate"] > 0
    assert main(arguments) == 0
    captured = capsys.readouterr()
    header, line = captured.out.splitlines()
    assert header.split() == ["stage", "speed", "CPU", "s", "floor", "of", "floor"]
    assert line.split()[0] == "data" and line.split()[-2:] == ["-", "-"] and captured.err == "data …\n"
    assert list(tmp_path.iterdir()) == []
