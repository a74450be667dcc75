"""The side bar as drawn text."""

from cockpit.models.rows import Row
from cockpit.models.run_list import RunList
from cockpit.panes import side
from cockpit.render.lines import plain, width

METRIC = "val_recall@10"


def run(name, stage="student", **more):
    return Row(f"{stage}-20260921-141320-{name}", stage, **{"state": "DONE", "created": 1.0, **more})


def listed(*rows):
    runs = RunList()
    runs.rows = {row.id: row for row in rows}
    runs.arrange(1000.0)
    return runs


def test_progress_shows_phase_bar_steps_speed_and_remaining_time():
    row = run("1", state="RUNNING", phase="training", step=50, total=200, epoch=2.5, rate=12.0, eta=61.0, attempt=2)
    text = plain(side.progress_lines(row, 40))
    for part in ("RUNNING  training", "25%", "steps 50/200", "epoch 2.5", "12.0 steps/s", "eta 1:01", "attempt 2"):
        assert part in text
    assert plain(side.progress_lines(run("2", wall=61.0), 40)).splitlines()[-1].split() == ["took", "1:01"]


def test_lineage_lists_inputs_the_run_and_the_runs_that_use_it():
    data, student = run("a1", "data"), run("b2", inputs={"data": "data-20260921-141320-a1", "teacher": "gone-1"})
    distill = run("c3", "distill", inputs={"student": student.id}, state="RUNNING")
    lines = plain(side.lineage_lines(student, listed(data, student, distill).rows, 40)).splitlines()
    assert lines[0].startswith("✓ data") and lines[0].endswith("done")
    assert lines[1].split() == ["?", "teacher", "gone"]
    assert lines[2].startswith("▸ student") and lines[3].startswith("  ● distill") and lines[3].endswith("run")


def test_the_difference_to_the_best_run_names_its_value_first():
    best = run("1", config={"student.hidden": 64, "seed": 1}, git="aaaaaaa1", dirty=False)
    row = run("2", config={"student.hidden": 32, "seed": 1}, git="bbbbbbb2", dirty=True)
    assert plain(side.difference(row, best)).splitlines() == ["student.hidden  64 → 32", "git  aaaaaaa → bbbbbbb*"]
    assert plain(side.difference(best, best)) == "this is the best run of its stage"
    assert plain(side.difference(row, None)) == "no other run to compare with"
    assert plain(side.difference(run("3"), best)) == "reading settings"
    same = run("4", config=dict(best.config), git=best.git)
    assert plain(side.difference(same, best)) == "same settings"


def test_the_list_of_runs_keeps_the_current_one_in_view():
    runs = listed(*(run(f"{n:02}", created=float(n)) for n in range(20)))
    current = runs.rows["student-20260921-141320-07"].id
    lines = side.run_lines(runs, current, 40, 5)
    assert next(text for line in lines for text, style in line if style == "select").split()[2].endswith("07")
    assert len(lines) == 5 and len(side.run_lines(runs, runs.shown[-1].id, 40, 5)) == 5


def test_a_run_of_the_list_shows_its_score_or_its_state():
    scored, failed = run("1", best={METRIC: (0.25, 1.0)}), run("2", state="FAILED", best={METRIC: (0.25, 1.0)})
    text = plain(side.run_lines(listed(scored, failed), "", 40, 5))
    assert ".2500" in text and "fail" in text and text.count(".2500") == 1


def test_the_side_bar_fills_its_pane_and_gives_the_list_what_is_left():
    row = run("1", config={}, note="a note", tags=["t"])
    runs = listed(row, *(run(f"{n:02}") for n in range(2, 40)))
    for down in (14, 30):
        lines = side.render(row, runs, 40, down)
        assert len(lines) == down and all(width(line) == 40 for line in lines)
    assert "a note" in plain(side.render(row, runs, 40, 30)) and "── lineage" in plain(side.render(row, runs, 40, 30))


def test_a_difference_lists_only_settings_that_can_have_an_effect_its_own_first():
    best = run("1", seed=1, config={"seed": 1, "student.epochs": 9, "teacher.rank": 4, "data.name": "a"})
    row = run("2", seed=2, config={"seed": 2, "student.epochs": 2, "teacher.rank": 8, "data.name": "b"})
    best.config |= {"launcher.slots": 1, "trainer.devices": 1, "student.dropout": None}
    row.config |= {"launcher.slots": 2, "trainer.devices": 2, "student.dropout": 0.1}
    assert plain(side.difference(row, best)).splitlines() == [
        "seed  1 → 2",
        "student.epochs  9 → 2",
        "student.dropout  - → 0.1",
        "data.name  a → b",
    ]


def test_the_side_bar_says_how_many_differences_it_leaves_out():
    best = run("1", best={METRIC: (0.9, 1.0)}, config={f"student.s{n}": 0 for n in range(12)})
    row = run("2", best={METRIC: (0.1, 1.0)}, config={f"student.s{n}": 1 for n in range(12)})
    assert "and 5 more" in plain(side.render(row, listed(best, row), 40, 40))


def test_a_line_of_the_list_keeps_the_end_of_the_id():
    row = run("9a7b")
    text = plain(side.run_lines(listed(row), "", 34, 4))
    assert "student …921-141320-9a7b" in text or "141320-9a7b" in text
    assert row.shortened(9) == "…320-9a7b" and row.shortened(4) == "…a7b" and row.shortened(99) == row.name


def test_progress_fits_in_one_line_with_step_speed_and_remaining_time():
    row = run("1", state="RUNNING", phase="train", step=50, total=200, epoch=2.5, rate=12.0, eta=61.0)
    for across in (80, 120, 159):
        line = side.progress_line(row, across)
        assert width(line) == across
        for part in ("train", "25%", "steps 50/200", "epoch 2.5", "12.0 steps/s", "eta 1:01", "█"):
            assert part in plain([line])
    assert plain([side.progress_line(run("2", wall=61.0), 80)]).split()[-2:] == ["took", "1:01"]
