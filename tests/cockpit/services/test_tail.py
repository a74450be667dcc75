"""A run is followed as it writes, whatever happens to its files."""

import json
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.services import tail
from cockpit.services.tail import Console, RunFollower


def caught_up(follower):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not follower.poll(0.05) and not follower.loading:
            return follower
    raise AssertionError("the file has no end")


def event(step, value=1.0):
    return json.dumps({"v": 1, "t": 1.0 * step, "q": step, "k": "s", "step": step, "m": {"loss": value}}) + "\n"


def test_new_events_arrive_and_half_a_line_waits(tmp_path):
    events = tmp_path / "events.jsonl"
    events.write_text(event(1) + event(2)[:20])
    follower = caught_up(RunFollower(tmp_path))
    assert follower.data.series["loss"].count == 1
    with events.open("a") as file:
        file.write(event(2)[20:])
    assert follower.poll(0.05) and follower.data.series["loss"].count == 2


def test_a_file_that_was_replaced_is_shown_anew(tmp_path):
    events = tmp_path / "events.jsonl"
    events.write_text(event(1) + event(2))
    follower = caught_up(RunFollower(tmp_path))
    other = tmp_path / "other"
    other.write_text(event(7))
    other.replace(events)
    caught_up(follower)
    assert follower.data.series["loss"].steps.tolist() == [7]


def test_lines_that_are_no_events_are_counted(tmp_path):
    (tmp_path / "events.jsonl").write_bytes(b"\xff\xfe\n{}\n" + event(1).encode() + b'{"k": "s", "step": "x"}\n')
    follower = caught_up(RunFollower(tmp_path))
    assert follower.data.series["loss"].count == 1


def test_kinds_of_a_later_version_are_passed_over(tmp_path):
    later = json.dumps({"v": 9, "t": 1, "q": 1, "k": "hologram", "beams": [1]}) + "\n"
    (tmp_path / "events.jsonl").write_text(later + event(1))
    follower = caught_up(RunFollower(tmp_path))
    assert follower.data.series["loss"].count == 1


def test_a_run_without_events_is_empty(tmp_path):
    assert not caught_up(RunFollower(tmp_path / "nowhere")).data.series


def test_a_long_history_is_sampled_first_and_then_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(tail, "LONG", 100_000)
    monkeypatch.setattr(tail, "BLOCK", 1000)
    monkeypatch.setattr(tail, "SAMPLES", 20)
    (tmp_path / "events.jsonl").write_text("".join(event(step) for step in range(5000)))
    follower = RunFollower(tmp_path)
    assert follower.loading and 50 < follower.data.series["loss"].count < 1000
    assert follower.data.series["loss"].last_step == 4999
    assert follower.data.series["loss"].steps.tolist() == sorted(set(follower.data.series["loss"].steps.tolist()))
    caught_up(follower)
    assert not follower.loading and follower.data.series["loss"].count == 5000


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=8))
def test_any_split_of_the_stream_gives_the_same_events(tmp_path_factory, cuts):
    folder = tmp_path_factory.mktemp("split")
    text = "".join(event(step, 0.1 * step) for step in range(1, 9)).encode()
    follower, written = RunFollower(folder), 0
    for cut in [*sorted(min(cut, len(text)) for cut in cuts), len(text)]:
        with (folder / "events.jsonl").open("ab") as file:
            file.write(text[written:cut])
        written = max(written, cut)
        follower.poll(0.05)
    caught_up(follower)
    assert follower.data.series["loss"].steps.tolist() == list(range(1, 9))


def test_console_lines_are_clean_and_the_unfinished_one_shows(tmp_path):
    (tmp_path / "console.log").write_bytes(b"a\x1b[31mb\n\x1b]52;c;aGk=\x07\xff\n10%\r50%\r90%")
    console = Console(tmp_path)
    console.poll(0.05)
    assert list(console.lines) == ["ab", "\ufffd"] and console.unfinished == "90%"


def test_only_the_end_of_a_huge_console_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tail, "CONSOLE_TAIL", 1000)
    (tmp_path / "console.log").write_text("".join(f"line {i:06}\n" for i in range(10_000)))
    console = Console(tmp_path)
    console.poll(0.05)
    assert console.skipped == 120_000 - 1000 and console.lines[-1] == "line 009999"
    assert all(line.startswith("line ") and len(line) == 11 for line in console.lines)


def test_a_line_of_ten_megabytes_is_shown_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(tail, "CONSOLE_TAIL", 1 << 30)
    (tmp_path / "console.log").write_bytes(b"x" * 10_000_000 + b"\nend\n")
    console = Console(tmp_path)
    deadline = time.monotonic() + 20
    while not console.lines or console.lines[-1] != "end":
        console.poll(0.01)
        assert time.monotonic() < deadline
    assert max(map(len, console.lines)) <= 2000


def test_a_console_that_was_replaced_says_so(tmp_path):
    (tmp_path / "console.log").write_text("one\ntwo\n")
    console = Console(tmp_path)
    console.poll(0.05)
    (tmp_path / "console.log").write_text("x\n")
    console.poll(0.05)
    assert list(console.lines)[-2:] == ["-- the console was replaced --", "x"]


def test_readings_of_devices_are_followed_and_start_again_when_they_were_thinned_out(maker):
    folder = maker.devices(maker.planned("teacher"), readings=10)
    follower = RunFollower(folder)
    follower.poll(1.0)
    assert follower.devices.count == 10 and follower.devices.machine["cores"] == 16
    lines = (folder / "devices.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "thinner").write_bytes(b"".join(lines[::2]))
    (folder / "thinner").replace(folder / "devices.jsonl")
    assert follower.poll(1.0) and follower.devices.count == 5
    assert not follower.poll(1.0)
