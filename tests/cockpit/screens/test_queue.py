"""Screen 4 over real entries and locks, at the three sizes, driven by keys."""

import os

import pytest

from cockpit.compose import draw
from cockpit.dispatch import click
from cockpit.render.lines import plain, width
from cockpit.screens import Screens
from engine.jobs import queue
from engine.jobs.queue import QueueEntry
from engine.runs.schema import QueueOverride, Slots

SIZES = [(80, 24), (120, 40), (200, 60)]
CPU = Slots("cpu", 1)


@pytest.fixture
def line(maker, monkeypatch):
    """A teacher on the only slot, two students and what one of them is needed for in the line: {name: run id}."""
    monkeypatch.setattr(queue, "host", lambda: "box")
    monkeypatch.setattr("cockpit.screens.queue.host", lambda: "box")
    data = maker.ended(maker.planned("data"))
    maker.ended(maker.trained(maker.planned(seed=9, inputs={"data": data.name})), wall=90.0)
    work = maker.planned("teacher", inputs={"data": data.name}, slots=CPU)
    maker.trained(work, steps=120, total=400, end="")
    runs = {"data": data.name, "work": work.name}
    entries = {}
    for name, stage, phase, inputs in (
        ("a", "student", "queued", {"data": data.name}),
        ("b", "student", "queued", {"data": data.name}),
        ("c", "distill", "waiting", {"data": data.name, "student": "a"}),
    ):
        inputs = {stage: runs.get(run, run) for stage, run in inputs.items()}
        folder = maker.waiting(maker.planned(stage, inputs=inputs, slots=CPU), phase)
        runs[name] = folder.name
    own = QueueEntry(maker.root, work.name, CPU)
    slot = own.take()
    own.leave()
    for name in "abc":
        entries[name] = QueueEntry(maker.root, runs[name], CPU)
    yield runs
    os.close(slot)
    for entry in entries.values():
        entry.leave()


def order(context):
    return [entry.run.id for entry in context.screen.entries]


@pytest.mark.parametrize("size", SIZES)
def test_slots_and_the_queue_are_drawn_with_the_reason_of_each_run(context, ready, line, press, snapshot, size):
    press(ready(context), "4")
    lines = draw(ready(context), *size)
    assert all(width(line) == size[0] for line in lines) and len(lines) == size[1]
    snapshot(f"queue-{size[0]}x{size[1]}", plain(lines))


@pytest.mark.parametrize("size", SIZES)
def test_an_empty_queue_says_so(context, ready, press, snapshot, size):
    press(ready(context), "4")
    snapshot(f"queue-empty-{size[0]}x{size[1]}", plain(draw(ready(context), *size)))


def test_keys_change_the_order_and_the_cursor_stays_on_its_run(context, ready, line, press, maker):
    press(ready(context), "4")
    ready(context)
    assert order(context) == [line[name] for name in ("work", "a", "b", "c")]
    press(context, "j", "j", "K")  # b before a
    assert order(context) == [line[name] for name in ("work", "b", "a", "c")] and context.row.id == line["b"]
    press(context, "J", "B")
    assert order(context) == [line[name] for name in ("work", "a", "c", "b")] and context.row.id == line["b"]
    press(context, "T")
    assert order(context) == [line[name] for name in ("work", "b", "a", "c")]
    assert [waiting.run for waiting in queue.snapshot(maker.root)[1]] == order(context)[1:]


def test_a_run_is_paused_and_goes_on(context, ready, line, press, maker):
    press(ready(context), "4")
    press(ready(context), "j", "p")
    assert QueueOverride.read(maker.root / line["a"]).paused and "paused" in context.message[0]
    assert "PAUSE" in plain(draw(context, 80, 24)) and "p lets it go on" in plain(draw(context, 120, 40))
    press(context, "p")
    assert not QueueOverride.read(maker.root / line["a"]).paused


async def test_cancelling_names_what_ends_with_it_and_runs_engine(context, ready, line, press):
    press(ready(context), "4")
    press(ready(context), "j", "x")
    assert "1 that need it end too" in plain(draw(context, 120, 40))
    press(context, "enter")
    await context.effects.run_pending()
    assert context.ask.asked[-1] == ["stop", line["a"]]
    press(context, "g", "x")
    assert "after evaluation" in plain(draw(context, 120, 40))  # a run at work is stopped as everywhere


def test_times_are_forecast_from_the_duration_of_earlier_runs(context, ready, line, press):
    press(ready(context), "4")
    a, b, c = ready(context).screen.entries[1:]
    eta = context.screen.entries[0].ends
    assert eta is not None and a.begins == pytest.approx(eta) and a.ends == pytest.approx(eta + 90)
    assert b.begins == pytest.approx(a.ends) and c.begins == pytest.approx(b.ends) and c.ends is None


@pytest.mark.parametrize("key", ["p", "J", "K", "T", "B"])
def test_a_run_at_work_has_no_position_to_change(context, ready, line, press, key):
    press(ready(context), "4")
    press(ready(context), key)
    assert "is running" in context.message[0]


def test_a_read_only_cockpit_changes_no_order(maker, line, opened, ready, press):
    from cockpit.context import Context
    from cockpit.settings import Settings

    context = ready(
        Context(maker.root, object(), Settings(), read_only=True, screens=Screens, clock=lambda: 1_790_000_000.0)
    )
    press(context, "4")
    press(ready(context), "j")
    before = sorted(maker.root.rglob("*"))
    for key in ("p", "J", "K", "T", "B", "x"):
        press(context, key)
        assert "--read-only" in context.message[0]
    assert sorted(maker.root.rglob("*")) == before


def test_a_run_that_slurm_holds_says_so(context, ready, maker, press):
    from engine.jobs.slurm import SlurmJob

    folder = maker.planned(sbatch=["--time=10"])
    (folder / "job.json").write_text('{"id": "77", "attempt": 1}')
    press(ready(context), "4")
    ready(context)
    assert SlurmJob.read(folder) and "Slurm job 77" in plain(draw(context, 120, 40))
    press(context, "p")
    assert "no slot of this machine" in context.message[0]


def test_enter_and_a_click_reach_the_run(context, ready, line, press):
    press(ready(context), "4")
    draw(ready(context), 80, 24)
    click(context, 10, 7, 80, 24)
    assert context.row.id == line["a"]
    press(context, "enter")
    assert context.screen.name == "live" and context.screens["live"].run == line["a"]


def test_hostile_names_in_the_files_of_the_queue_are_harmless(context, ready, maker, press):
    folder = maker.root / ".slots" / "\x1b]0;x\x07box" / "c\x1b[2Jpu"
    (folder / "line").mkdir(parents=True)
    (folder / "slot-0").write_text("\x1b]52;c;aGk=\x07")
    (folder / "slot-x").write_text("")
    (folder / "line" / "student-\x9b2J").write_text("[]")
    press(ready(context), "4")
    text = plain(draw(ready(context), 120, 40))
    assert "\x1b" not in text and "\x9b" not in text and "aGk" not in text


def test_a_run_without_a_report_is_starting(context, ready, maker, press):
    maker.waiting(maker.planned(slots=CPU), "running")
    press(ready(context), "4")
    assert "starting" in plain(draw(ready(context), 120, 40))
