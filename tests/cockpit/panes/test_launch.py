"""The parts of the launch screen as drawn text."""

from pathlib import Path

import pytest

from cockpit.models.estimate import Estimate
from cockpit.panes import launch as panes
from cockpit.render.lines import plain
from cockpit.services.planning import BATCH, Planning

ROOT = Path("runs")


@pytest.fixture
def planning(all_built):
    planning = Planning(ROOT, None, lambda work: work.close())
    planning.form.load(
        {"settings": [{"key": "seed", "value": 0}, {"key": "student.hidden", "value": 64}], "experiments": ["demo"]}
    )
    planning.steps = [
        {"stage": "data", "action": "reuse", "run": "data-20260921-141320-0001", "why": "same settings"},
        {"stage": "student", "action": "new", "run": None, "why": "hidden 64 → 128"},
    ]
    planning.new = {"student": 1}
    return planning


def test_the_graph_shows_what_a_start_would_do_with_every_stage(planning):
    planning.form.target = "student"
    rows = plain(panes.graph(planning, 1, True, 44, 14)).splitlines()
    assert "│ ✓ data      reused  141320-0001" in rows[1] and "◆ + student   new" in rows[2]
    assert "not needed" not in rows[3] and "backbone" in rows[3]
    assert any("hidden 64 → 128" in row for row in rows)
    assert "hidden 64" not in plain(panes.graph(planning, 1, False, 44, 14))
    planning.form.target = "evaluate"
    assert "· distill   not needed" in plain(panes.graph(planning, 1, True, 44, 14))


def test_a_stage_that_is_not_built_says_so(planning, monkeypatch):
    monkeypatch.setattr("engine.stages.Stage.built", property(lambda stage: stage.name != "teacher"))
    assert "· teacher   not built yet" in plain(panes.graph(planning, 1, True, 44, 14))


def fields(planning, keys=("seed", "student.hidden"), cursor=0, across=90):
    return plain(panes.settings(planning, list(keys), 0, cursor, [], True, across, 9))


def test_a_field_shows_its_value_change_sweep_or_fault(planning):
    assert "64" in fields(planning) and "was" not in fields(planning)
    planning.form.change("student.hidden", "128")
    assert "*128   was 64" in fields(planning)
    planning.form.change("student.hidden", "128,256")
    assert "sweep: 2 values" in fields(planning)
    planning.form.change("student.hidden", "0")
    assert "*0   ✗ 0 is not allowed: int ≥ 1 ≤ 4096" in fields(planning)
    planning.form.changes["student.hiden"] = "1"
    unknown = fields(planning, ["student.hiden"])
    assert "did you mean student.hidden?" in unknown and "this engine has no such setting" in unknown


def test_the_help_of_the_setting_under_the_cursor_stands_below(planning):
    rows = fields(planning, cursor=1, across=50).splitlines()
    assert "model width D" in rows[-5] and "int ≥ 1 ≤ 4096" in rows[-4]
    assert "no setting fits: esc shows all" in fields(planning, [])


def preview(planning, cost=None, free=None, down=12):
    return plain(panes.preview(planning, ROOT, cost, free, 160, down))


def test_the_preview_shows_the_runs_the_command_and_the_checks(planning):
    planning.checks = {BATCH}
    text = preview(planning)
    assert "runs: student   reused: data" in text and "$ engine run evaluate --runs runs" in text
    assert "[ ] doctor   [✓] one batch   [ ] again" in text
    planning.new = {}
    assert "everything is there already" in preview(planning)


def test_the_cost_is_that_of_earlier_runs_and_names_what_is_unknown(planning):
    cost = Estimate(60.0, 30.0, 90.0, 3 << 20, 2, ("teacher",))
    text = preview(planning, cost, 1 << 20)
    assert "about 1:00 (0:30 to 1:30) of work, 3M on the disk   by 2 earlier runs" in text
    assert "✗ only 1M are free" in text and "no earlier run tells of teacher" in text
    same = Estimate(60.0, 60.0, 60.0, 3 << 20, 1, ())
    assert "about 1:00 of work" in preview(planning, same, 9e9) and "by 1 earlier run\n" not in preview(planning, same)
    assert "are free" not in preview(planning, same, 9e9)


def test_faults_stand_before_everything_else(planning):
    planning.form.change("seed", "-1")
    text = preview(planning)
    assert "✗ seed  -1 is not allowed" in text and "runs: student" not in text
    planning.form.changes = {"seed": "1..100", "student.hidden": "1..100"}
    assert "✗ 10,000 runs are more than 1000" in preview(planning)
    planning.form.changes, planning.trouble = {}, "no space\nfree some\nor more\nand more"
    assert "✗ no space" in preview(planning) and "and more" not in preview(planning)


def test_a_sweep_lists_its_first_combinations(planning):
    planning.form.change("seed", "1..9")
    planning.form.change("student.hidden", "128")
    text = preview(planning, down=10)
    assert "9 seed = 9 combinations" in text and "  seed=1\n" not in text
    rows = [line.strip("│ ") for line in text.splitlines()]
    assert "seed=1" in rows and "student.hidden=128" not in rows and any("more" in row for row in rows)
    assert panes.combinations(planning.form, 2) == ["seed=1", "seed=2"]
