"""The pane of disk use as drawn text."""

from cockpit.models.rows import Row
from cockpit.panes.disk import biggest, render
from cockpit.render.lines import plain, width
from cockpit.services.system import Machine

ROWS = {
    name: Row(name, stage, state="DONE", pinned=stage == "data")
    for name, stage in (("student-1", "student"), ("student-2", "student"), ("data-1", "data"), ("unread-1", "student"))
}
SIZES = {"student-1": 3 << 20, "student-2": 1 << 20, "data-1": 2 << 20}


def drawn(across=100, down=8, machine=None, complete=True, cursor=0, top=0):
    runs = biggest(SIZES, ROWS)
    return render(SIZES, complete, runs, cursor, top, machine or Machine(), across, down, focused=True)


def test_runs_come_by_size_and_those_not_measured_are_left_out():
    assert [row.id for row in biggest(SIZES, ROWS)] == ["student-1", "data-1", "student-2"]


def test_stages_are_summed_beside_the_biggest_runs():
    rows = plain(drawn()).splitlines()
    assert "runs 6M" in rows[0] and "so far" not in rows[0]
    assert rows[2].split()[1:4] == ["data", "1", "2M"] or "data" in rows[2]
    stages = {row[1:11].strip(): row[11:24].split() for row in rows[2:4]}
    assert stages == {"data": ["1", "2M"], "student": ["2", "4M"]}
    assert "3M ✓ DONE" in rows[2] and "student 1" in rows[2] and "pinned" in rows[3]


def test_a_narrow_pane_has_the_biggest_runs_only():
    lines = drawn(across=60)
    assert "size" not in plain(lines) and "biggest runs" in plain(lines) and all(width(line) == 60 for line in lines)


def test_the_cursor_and_the_top_choose_the_lines():
    lines = drawn(across=60, cursor=2, top=1)
    assert "student 1" not in plain(lines)
    selected = [text for line in lines for text, style in line if style == "select"]
    assert len(selected) == 1 and "student 2" in selected[0]


def test_a_full_disk_and_an_unfinished_count_are_marked():
    machine = Machine(disk_free=2e9, disk_total=100e9)
    head = drawn(across=120, machine=machine, complete=False)[0]
    assert ("  ⚠ full soon: engine rm ID makes room", "bad") in head and (" so far", "warn") in head
    assert "full soon" not in plain(drawn(across=120, machine=Machine(disk_free=4e9, disk_total=100e9)))
