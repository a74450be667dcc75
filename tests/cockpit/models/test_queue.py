import pytest

from cockpit.models.queue import dependents, short, why
from cockpit.models.rows import Row
from engine.jobs.queue import Waiting
from engine.jobs.queue_rows import QueueRow
from engine.runs.schema import QueueOverride


def line(row: Row, reason: str = "", *, paused: bool = False) -> QueueRow[Row]:
    entry = Waiting(row.id, "box", "cpu", 1, 1.0, QueueOverride(paused=paused))
    return QueueRow(row, None, entry, 1, None, None, reason)


@pytest.mark.parametrize(
    ("state", "phase", "reason", "shown"),
    [
        ("RUNNING", "train", "", "train"),
        ("RUNNING", "", "", "starting"),
        ("STALLED", "train", "silent for 31 s", "silent for 31 s"),
        ("QUEUED", "", "for a cpu slot, 1 before it", "for a cpu slot, 1 before it"),
    ],
)
def test_a_row_shows_what_a_run_does_or_why_it_does_not_work(state: str, phase: str, reason: str, shown: str) -> None:
    assert why(line(Row("a", "student", state=state, phase=phase), reason)) == shown


def test_a_paused_row_names_the_key_that_continues_it() -> None:
    assert (
        why(line(Row("a", "student", state="QUEUED"), "paused by a person", paused=True)) == "paused: p lets it go on"
    )


def test_a_short_name_is_the_stage_and_the_end_of_the_id() -> None:
    assert short(Row("student-20260101-000000-ab12", "student")) == "student ab12"


def test_dependents_are_waiting_runs_that_need_a_run_directly_or_through_others() -> None:
    rows = [
        Row("data", "data", state="RUNNING"),
        Row("student", "student", state="WAITING", inputs={"data": "data"}),
        Row("distill", "distill", state="QUEUED", inputs={"student": "student"}),
        Row("failed", "student", state="FAILED", inputs={"data": "data"}),
        Row("other", "student", state="WAITING", inputs={"data": "elsewhere"}),
    ]
    assert [row.id for row in dependents("data", {row.id: row for row in rows})] == ["student", "distill"]
