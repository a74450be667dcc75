"""Rows of the run table as drawn text."""

import pytest

from cockpit.models.rows import Row
from cockpit.models.run_list import RunList
from cockpit.panes.run_table import HEALTH_STYLES, progress, render
from cockpit.render.lines import plain, width

NOW = 1000.0
METRIC = "val_recall@10"


def run(name, state="DONE", score=None, **more):
    best = {} if score is None else {METRIC: (score, 10.0)}
    return Row(f"student-20260921-141320-{name}", "student", state=state, best=best, created=NOW - 120, **more)


def drawn(*rows, across=120, down=8, **more):
    runs = RunList()
    runs.rows = {row.id: row for row in rows}
    for name, value in more.items():
        setattr(runs, name, value)
    runs.arrange(NOW)
    lines = render(runs, 0, NOW, across, down)
    assert len(lines) == down and all(width(line) == across for line in lines)
    return lines


def line_of(row, **more):
    return plain(drawn(row, **more)[1:2])


def test_a_running_run_shows_progress_metric_health_and_the_remaining_time():
    row = run("0001", "RUNNING", 0.0907, step=1200, total=4000, eta=95.0, seed=7, experiment="demo", last={"loss": 1.0})
    line = line_of(row)
    assert [part for part in line.split() if part] == [
        *("●", "RUN", "student", "260921-141320-0001", "2m", "demo", "7"),
        *("1.2k/4k", ".0907", "=best", "ok", "1:35"),
    ]


def test_the_difference_to_the_best_run_of_the_same_data_is_signed():
    best, worse = run("0001", score=0.5, inputs={"data": "d"}), run("0002", score=0.4, inputs={"data": "d"})
    other = run("0003", score=0.1, inputs={"data": "e"})
    lines = {line.split()[3][-4:]: line for line in plain(drawn(best, worse, other)[1:4]).splitlines()}
    assert "=best" in lines["0001"] and "-.1000" in lines["0002"] and "=best" in lines["0003"]


def test_a_run_without_numbers_shows_the_reason_in_their_place():
    failed = run("0001", "FAILED", reason="RuntimeError: loss is NaN\nTraceback", step=40, total=200)
    assert "at 40/200: RuntimeError: loss is NaN" in line_of(failed) and "Traceback" not in line_of(failed)
    assert "at" not in line_of(run("0002", "QUEUED", reason="gpu 0 is taken", step=40, total=200)).split()
    assert "gpu 0 is taken" in line_of(run("0002", "QUEUED", reason="gpu 0 is taken"))
    assert "for its data" in line_of(run("0003", "WAITING", reason="for its data"))
    assert line_of(run("0004", "LOST")).endswith("lost")


def test_a_long_reason_is_cut_only_where_tags_or_a_note_follow():
    reason = "no space left on device while writing the checkpoint of step one thousand and then some more of it"
    assert reason in line_of(run("0001", "FAILED", reason=reason), across=190)
    tagged = line_of(run("0001", "FAILED", reason=reason, tags=["keep"]), across=190)
    assert "…" in tagged and tagged.endswith("keep")


def test_columns_appear_as_there_is_room():
    row = run("0001", seed=7, experiment="demo", git="abcdef1234", dirty=True)
    heads = {across: plain(drawn(row, across=across)[:1]) for across in (70, 96, 100, 110, 150)}
    assert "seed" not in heads[70] and "health" not in heads[70] and "seed" in heads[96]
    assert " age " not in heads[96] and " age " in heads[100]
    assert "experiment" not in heads[100] and "experiment" in heads[110]
    assert "git" in heads[150] and "abcdef1*" in line_of(row, across=150)
    assert "141320-0001" in line_of(row, across=70) and "260921-141320-0001" not in line_of(row, across=70)


def test_marks_pins_cursor_tags_and_notes_are_shown():
    first, second = run("0001", pinned=True), run("0002", tags=["a", "b"], note="look here")
    lines = drawn(first, second, marks=[second.id], across=140)
    assert plain(lines[1:2]).startswith("⌃✓") and plain(lines[2:3]).startswith("▸✓")
    assert plain(lines[2:3]).endswith("a b  look here")
    assert [style for _, style in lines[1]] == ["select"] and len(lines[2]) > 1


def test_a_group_has_a_heading_with_its_number_of_runs():
    text = plain(drawn(run("0001", "RUNNING", experiment="x"), run("0002", experiment="x"), grouping="experiment"))
    assert "▾ x  2 runs, 1 running" in text


@pytest.mark.parametrize(
    ("health", "last", "text", "style"),
    [
        ({"dead_expert": {"level": "warning"}, "nan_loss": {"level": "error"}}, {"loss": 1.0}, "nan_lo", "bad"),
        ({"dead_expert": {"level": "warning"}}, {"loss": 1.0}, "dead_e", "warn"),
        ({"explode": {"level": "info"}}, {"loss": 1.0}, "ok", "ok"),
        ({}, {}, "", "ok"),
    ],
)
def test_health_is_the_worst_fault(health, last, text, style):
    row = run("0001", "RUNNING", health=health, last=last)
    assert text in line_of(row) and HEALTH_STYLES[row.level] == style


def test_progress_is_steps_of_the_total():
    assert progress(run("a", "RUNNING", step=1200, total=4000)) == "1.2k/4k"
    assert progress(run("a", "RUNNING", step=1200)) == "1.2k" and progress(run("a", "RUNNING")) == ""
    assert progress(run("a", facts={"steps": 250})) == "250 steps"


def test_only_as_many_runs_as_fit_are_drawn_from_the_top_on():
    runs = RunList()
    runs.rows = {row.id: row for row in (run(f"{n:04}") for n in range(9))}
    runs.arrange(NOW)
    text = plain(render(runs, 3, NOW, 100, 4))
    assert [line.split()[3][-4:] for line in text.splitlines()[1:]] == ["0005", "0004", "0003"]
