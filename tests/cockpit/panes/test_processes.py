"""The pane of processes as drawn text."""

from cockpit.models.processes import Usage
from cockpit.models.rows import Row
from cockpit.panes.processes import render
from cockpit.render.lines import plain, width

RUN = Row("student-20260921-141320-0001", "student", state="RUNNING")
OURS = Usage(RUN.id, "python", "me", [10, 11], cpu=1.5, memory=3 << 30, gpu=2 << 30, started=40.0)
OTHER = Usage("", "firefox", "you", [99], cpu=2.5, memory=1 << 30, started=10.0)
HIDDEN = Usage("", "a process that cannot be seen from here", "?", [7], gpu=1 << 30)


def drawn(*usages, across=100, cores=4, cursor=0, top=0, down=7):
    lines = render(usages, {RUN.id: RUN}, cursor, top, cores, 100.0, across, down, focused=True)
    assert len(lines) == down and all(width(line) == across for line in lines)
    return lines


def test_a_run_is_named_and_another_process_has_its_command():
    rows = [line.strip("│") for line in plain(drawn(OURS, OTHER, HIDDEN)).splitlines()]
    assert "● RUN" in rows[2] and "student 260921-141320-0001" in rows[2]
    assert rows[2].split()[-5:] == ["me", "1.50", "3G", "2G", "1:00"]
    assert "99 firefox" in rows[3] and rows[3].split()[-4:] == ["you", "2.50", "1G", "1:30"]
    assert rows[4].split()[-2:] == ["--", "1G"]


def test_account_and_age_need_room():
    rows = [line.strip("│") for line in plain(drawn(OURS, across=80)).splitlines()]
    assert "account" not in rows[1] and rows[2].split()[-3:] == ["1.50", "3G", "2G"]
    assert "account" in plain(drawn(OURS, across=96))


def test_the_title_sums_runs_and_others_and_warns_when_others_take_half_the_cores():
    assert ("  1 run 1.5, others 2.5 of 4 cores", "warn") in drawn(OURS, OTHER)[0]
    assert ("  1 run 1.5, others 2.5 of 8 cores", "dim") in drawn(OURS, OTHER, cores=8)[0]
    assert "run" not in plain(drawn(HIDDEN)[:1])


def test_several_processes_have_no_number_and_the_cursor_marks_its_line():
    rest = Usage("", "5 processes that take next to nothing", "", [1, 2, 3, 4, 5], cpu=0.0)
    lines = drawn(OURS, rest, cursor=1, top=1)
    assert "student" not in plain(lines)
    (selected,) = [text for line in lines for text, style in line if style == "select"]
    assert selected.startswith("  5 processes")
    assert "looking" in plain(drawn())
