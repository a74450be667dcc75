"""The panes of slots and of the queue as drawn text."""

from cockpit.models.rows import Row
from cockpit.models.varying import Varying
from cockpit.panes.queue import line, slots
from cockpit.render.lines import plain, width
from engine.jobs.queue import SlotUse
from engine.jobs.queue_rows import QueueRow

RUNNING = Row(
    "teacher-20260921-141320-0001", "teacher", "demo", state="RUNNING", step=50, total=200, eta=65.0, phase="training"
)
QUEUED = Row("student-20260921-141320-0002", "student", "demo", state="QUEUED")
ROWS = {row.id: row for row in (RUNNING, QUEUED)}


def test_a_slot_is_free_taken_or_shows_the_progress_of_its_run():
    uses = [
        SlotUse("here", "gpu", 0, RUNNING.id),
        SlotUse("here", "gpu", 1, ""),
        SlotUse("there", "gpu", 0, "gone"),
    ]
    rows = plain(slots(uses, ROWS, "here", 120, 6)).splitlines()
    assert "gpu 0" in rows[1] and "● teacher 0001" in rows[1] and "25%" in rows[1] and "50/200  eta 1:05" in rows[1]
    assert rows[2].strip("│").split() == ["gpu", "1", "free"] and "on here" not in rows[2]
    assert "gpu 0 on there" in rows[3] and "taken by gone" in rows[3]
    assert "no run has asked for a slot yet" in plain(slots([], {}, "here", 60, 4))


def entries():
    return [
        QueueRow(RUNNING, SlotUse("here", "gpu", 0, RUNNING.id), None, None, 0.0, 65.0, ""),
        QueueRow(QUEUED, None, None, 1, 65.0, 125.0, "waits for gpu 0"),
    ]


def test_the_queue_has_a_line_per_run_and_the_whole_reason_of_the_current_one():
    lines = line(entries(), Varying(), 1, 0, 130, 8)
    rows = plain(lines).splitlines()
    assert rows[2].split()[1:8] == ["●", "RUN", "teacher", "260921-141320-0001", "demo", "gpu", "0"]
    assert rows[2].split()[8:11] == ["now", "1:05", "training"]
    assert rows[3].split()[1:9] == ["1", "○", "QUEUE", "student", "260921-141320-0002", "demo", "1:05", "2:05"]
    assert "▸ student 0002  waits for gpu 0" in rows[6]
    assert [len(one) for one in lines[3:4]] == [3] and lines[3][1][1] == "select"
    assert len(lines) == 8 and all(width(one) == 130 for one in lines)


def test_a_narrow_queue_names_runs_by_the_end_of_their_ids():
    text = plain(line(entries(), Varying(), 0, 0, 80, 8))
    assert "teacher   0001" in text and "260921" not in text and "demo" not in text


def test_an_empty_queue_says_how_to_launch_a_run():
    assert "nothing works and nothing waits" in plain(line([], Varying(), 0, 0, 80, 8))


def test_the_settings_that_vary_are_a_column_also_on_a_narrow_screen():
    rows = [Row(f"s-{k}", "student", "sweep", state="QUEUED", argv=["engine", f"student.lr={k}"]) for k in (1, 2)]
    varying = Varying()
    varying.update({row.id: row for row in rows})
    queued = [QueueRow(row, None, None, 1, None, None, "for a slot") for row in rows]
    for across in (80, 130):
        text = plain(line(queued, varying, 0, 0, across, 9))
        assert "varies" in text and "lr=1" in text and "lr=2" in text
