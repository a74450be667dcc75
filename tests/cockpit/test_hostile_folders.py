"""Folders as they are found in life: cut, replaced, gone, not ours, from the future, far too many. Each is shown as
what it is, and the screens stay whole."""

import errno
import json
import os
import shutil
import time

import pytest

from cockpit.compose import draw
from cockpit.keys import SCREENS
from cockpit.render.lines import plain, width

NOW = 1_790_000_000.0


def whole(context, size=(120, 40)):
    """Every screen drawn; each text has the terminal's size."""
    stack, pictures = context.stack, {}
    for name in SCREENS:
        context.stack = ["runs"] if name == "runs" else ["runs", name]
        lines = draw(context, *size)
        assert len(lines) == size[1] and all(width(line) == size[0] for line in lines), name
        pictures[name] = plain(lines)
    context.stack = stack
    return pictures


def opened(context, ready, run):
    """The live screen on a run, read to its end."""
    context.show("live", run)
    return ready(context)


def line(step, **more):
    return json.dumps({"v": 1, "t": NOW + step, "q": step, "k": "s", "step": step, "m": {"loss": 1.0}, **more}) + "\n"


def test_half_a_line_waits_for_its_other_half(context, ready, maker):
    folder = maker.trained(maker.planned(), end="")
    events = folder / "events.jsonl"
    with events.open("a") as file:
        file.write(line(500)[:30])
    data = opened(context, ready, folder.name).watch.follow(folder.name).data
    before = data.series["loss"].count
    with events.open("a") as file:
        file.write(line(500)[30:])
    ready(context)
    assert data.series["loss"].count == before + 1 and data.series["loss"].last_step == 500


def test_events_that_are_cut_or_replaced_are_shown_anew(context, ready, maker):
    folder = maker.trained(maker.planned(), end="")
    events = folder / "events.jsonl"
    follower = opened(context, ready, folder.name).watch.follow(folder.name)
    with events.open("r+b") as file:  # the same file, cut in the middle of a line
        file.truncate(events.stat().st_size // 2 + 7)
    ready(context)
    cut = follower.data.series["loss"].last_step
    assert 0 < cut < 200
    other = folder / "other"
    other.write_text(line(7))
    other.replace(events)
    ready(context)
    assert follower.data.series["loss"].steps.tolist() == [7]
    whole(context)


def test_a_run_that_vanishes_while_it_is_looked_at_leaves_whole_screens(context, ready, world, maker, press):
    opened(context, ready, world["live"])
    context.list.mark(world["live"])
    whole(context)
    shutil.rmtree(maker.root / world["live"])
    ready(context)
    assert (
        world["live"] not in whole(context)["runs"]
        and context.screens["live"].run != world["live"]
        and not context.list.marks
    )
    shutil.rmtree(maker.root)
    ready(context)
    assert "No runs in" in whole(context)["runs"]


@pytest.mark.parametrize(
    "name", ["run.json", "summary.json", "events.jsonl", "console.log", "config.yaml", "meta.json", "process.json"]
)
def test_a_file_that_cannot_be_read_as_one_hides_no_other_run(context, ready, maker, name):
    good, bad = maker.trained(maker.planned()), maker.trained(maker.planned())
    (bad / name).unlink(missing_ok=True)
    (bad / name).mkdir()
    opened(context, ready, bad.name)
    pictures = whole(context)
    assert good.name[-4:] in pictures["runs"] and bad.name[-4:] in pictures["runs"]


def test_what_is_no_run_is_not_taken_for_one(context, ready, maker):
    run = maker.planned()
    (maker.root / "notes").mkdir()
    (maker.root / "notes" / "run.json").write_text("[]")
    (maker.root / "student-20260921-141320-0bad").write_text("a file")
    (maker.root / "loop").symlink_to(maker.root)
    (maker.root / "dangling").symlink_to(maker.root / "nowhere")
    os.mkfifo(maker.root / "pipe")
    ready(context)
    assert set(context.list.rows) <= {run.name, "student-20260921-141320-0bad"} and run.name in context.list.rows
    whole(context)


def test_events_and_records_of_a_later_version_do_not_hide_what_is_known(context, ready, maker):
    folder = maker.trained(maker.planned(), end="")
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({"v": 9, "t": 1, "q": 9, "k": "hologram", "beams": [1]}) + "\n" + line(500, novelty={}))
    for name in ("run.json", "summary.json"):
        record = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(record | {"v": 9, "hologram": [1, {"x": None}]}))
    opened(context, ready, folder.name)
    assert context.watch.follow(folder.name).data.series["loss"].last_step == 500
    assert "RUNNING" in whole(context)["live"]


@pytest.mark.parametrize("skew", [-86_400.0, 86_400.0])
def test_clocks_that_disagree_make_no_run_dead_and_no_axis_run_backwards(context, ready, maker, skew):
    folder = maker.planned()
    maker.trained(folder, end="")
    context.watch.clock = context.watch.scanner._clock = lambda: NOW + skew
    context.clock = context.watch.clock
    opened(context, ready, folder.name)
    assert context.list.rows[folder.name].state in ("RUNNING", "STALLED")
    context.view.axis = "time"
    assert "nan" not in whole(context)["live"].lower()


def test_a_run_that_filled_its_disk_says_so_and_so_does_a_tag_that_found_no_room(
    context, ready, maker, press, monkeypatch
):
    folder = maker.trained(maker.planned(), steps=100, end="")
    with (folder / "events.jsonl").open("a") as file:
        file.write(line(110)[:17])
    reason = "events.jsonl: cannot be written: No space left on device\nMake room"
    maker.ended(folder, 2, reason=reason)
    ready(context)
    assert "✗ FAIL" in whole(context)["runs"] and "No space left" in whole(context, (200, 60))["runs"]

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    press(context, "t", '"good"', "enter")
    assert "No space left on device" in context.message[0] and not (folder / "meta.json").exists()
    assert not context.list.rows[folder.name].tags


@pytest.mark.slow
def test_ten_thousand_runs_are_listed_and_keys_still_answer(context, maker, press):
    first = maker.trained(maker.planned())
    record = json.loads((first / "run.json").read_text())
    summary, end = (first / "summary.json").read_bytes(), (first / "exit.json").read_bytes()
    for number in range(9_999):
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(NOW - 60 * number - 60))
        folder = maker.root / f"student-{stamp}-{number:04x}"
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(record | {"id": folder.name, "created": NOW - 60 * number - 60}))
        (folder / "summary.json").write_bytes(summary)
        (folder / "exit.json").write_bytes(end)
    longest, began = 0.0, time.process_time()
    while not context.watch.scanner.complete:
        before = time.process_time()
        context.tick()
        longest = max(longest, time.process_time() - before)
    assert len(context.list.rows) == 10_000 and time.process_time() - began < 30
    assert longest < 0.5  # the list is sorted in one piece
    before = time.process_time()
    press(context, "G", "k")
    text = plain(draw(context, 120, 40))
    assert time.process_time() - before < 0.1 and "10,000/10,000" in text
