import json
import os
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runs.event_writer import EventWriter
from engine.runs.events import LINE_LIMIT, Event
from engine.runs.reader import READ_LIMIT, Evaluation, Growing, History, Tail, follow, history


def line(step: int, **more: Any) -> bytes:
    event = {"v": 1, "t": float(step), "q": step, "k": "s", "step": step, "m": {"loss": 1.0}} | more
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


GOOD = st.builds(lambda step, name: line(step, m={name: 0.5}), st.integers(0, 99), st.text(max_size=8))
ODD = st.one_of(
    st.binary(max_size=30).map(lambda data: data + b"\n"),
    st.sampled_from(
        [b"\n", b"  \n", b"null\n", b"{}\n", b'{"k":"s"}\n', b"[" * 5000 + b"\n", b"x" * LINE_LIMIT + b"\n"]
    ),
    st.integers(LINE_LIMIT - 200, LINE_LIMIT + 200).map(lambda size: line(1, pad="x" * size)),
)


@given(st.lists(GOOD | ODD, max_size=8), st.lists(st.integers(0, 200_000), max_size=12))
def test_any_split_of_the_stream_gives_the_same_events(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    whole, split = Tail(Path("unused")), Tail(Path("unused"))
    expected = whole.feed(stream)
    cuts_at = sorted({0, *(cut % (len(stream) + 1) for cut in cuts), len(stream)})
    got: list[Event] = []
    for start, stop in pairwise(cuts_at):
        got += split.feed(stream[start:stop])
    assert got == expected
    assert split.bad == whole.bad


@given(st.lists(GOOD, min_size=1, max_size=3))
def test_a_stream_byte_by_byte_gives_the_same_events(parts: list[bytes]) -> None:
    stream = b"".join(parts)
    tail = Tail(Path("unused"))
    got = [event for index in range(len(stream)) for event in tail.feed(stream[index : index + 1])]
    assert got == Tail(Path("unused")).feed(stream)
    assert len(got) == len(parts)


def test_new_events_arrive_and_an_unfinished_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = Tail(path)
    assert tail.read() == []  # not there yet
    path.write_bytes(line(1) + line(2)[:10])
    assert [event["step"] for event in tail.read()] == [1]
    assert tail.read() == []
    with path.open("ab") as file:
        file.write(line(2)[10:])
    assert [event["step"] for event in tail.read()] == [2]
    assert (tail.bad, tail.rewritten, tail.behind) == (0, 0, False)


def test_bad_lines_are_counted_and_skipped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line(1) + b"garbage\n" + b'{"k":"val"}\n' + b"\xff\xfe\n" + b"\n" + line(2))
    tail = Tail(path)
    assert [event["step"] for event in tail.read()] == [1, 2]
    assert tail.bad == 3


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    tail = Tail(Path("unused"))
    for _ in range(100):
        assert tail.feed(b"x" * 10_000) == []
    assert len(tail._carry) <= LINE_LIMIT
    assert [event["step"] for event in tail.feed(b"\n" + line(7))] == [7]
    assert tail.bad == 1


def test_one_look_reads_a_bounded_piece(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    count = 3 * READ_LIMIT // len(line(10))
    path.write_bytes(b"".join(line(10) for _ in range(count)))
    tail = Tail(path)
    looks = [len(tail.read())]
    while tail.behind:
        looks.append(len(tail.read()))
    assert len(looks) in (3, 4)
    assert sum(looks) == count


@pytest.mark.parametrize("replace", [True, False], ids=["another file", "the same file cut"])
def test_a_rewritten_file_is_read_from_its_start(tmp_path: Path, replace: bool) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line(1) + line(2) + line(3)[:9])
    tail = Tail(path)
    tail.read()
    if replace:
        (tmp_path / "new").write_bytes(line(8) + line(9) + line(10) + line(11))
        os.replace(tmp_path / "new", path)
    else:
        path.write_bytes(line(8))
    assert tail.read()[0]["step"] == 8
    assert (tail.rewritten, tail.bad) == (1, 0)


def test_texts_of_events_are_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventWriter(path).write("log", level="info", msg="a\x1b]52;c;aGk=\x07b \u202ec")
    assert Tail(path).read()[0]["msg"] == "ab \ufffdc"


def write(path: Path, *events: tuple[str, dict[str, Any]]) -> None:
    writer = EventWriter(path / "events.jsonl")
    for kind, fields in events:
        writer.write(kind, **fields)
    writer.flush()
    writer.close()


def losses(found: History) -> list[tuple[int, float]]:
    return list(zip(found.series["loss"].steps, found.series["loss"].values, strict=True))


def test_a_resumed_attempt_replaces_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    write(
        tmp_path,
        ("start", {"attempt": 1}),
        *[("s", {"step": step, "m": {"loss": 1.0}}) for step in (1, 2, 3, 4)],
        ("val", {"step": 2, "m": {"val": 0.2}, "split": "validation", "best": True}),
        ("val", {"step": 4, "m": {"val": 0.4}, "split": "validation", "best": True}),
    )
    write(
        tmp_path,
        ("start", {"attempt": 2}),
        ("start", {"attempt": 2, "resumed_from": 2}),
        *[("s", {"step": step, "m": {"loss": 2.0}}) for step in (3, 4, 5)],
    )
    found = history(tmp_path)
    assert losses(found) == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]
    assert [evaluation.step for evaluation in found.evaluations] == [2]
    assert found.series["val"].steps == [2]
    assert found.attempt == 2


def test_a_resumed_attempt_drops_later_points_before_its_first_report(tmp_path: Path) -> None:
    write(tmp_path, *[("s", {"step": step, "m": {"loss": 1.0}}) for step in (1, 2, 3)])
    write(tmp_path, ("start", {"attempt": 2, "resumed_from": 1}))
    assert losses(history(tmp_path)) == [(1, 1.0)]


def test_an_attempt_that_begins_anew_replaces_everything(tmp_path: Path) -> None:
    write(tmp_path, ("start", {"attempt": 1}), *[("s", {"step": step, "m": {"loss": 1.0}}) for step in (1, 2, 3)])
    write(tmp_path, ("start", {"attempt": 2}), ("s", {"step": 1, "m": {"loss": 2.0}}))
    assert losses(history(tmp_path)) == [(1, 2.0)]


def test_history_keeps_evaluations_gradients_gates_and_notices(tmp_path: Path) -> None:
    write(
        tmp_path,
        ("schema", {"names": {}, "groups": [{"name": "a", "numel": 3}, {"name": "b", "numel": 4}]}),
        ("grad", {"step": 1, "total": 5.0, "g": [3.0, None]}),
        ("grad", {"step": 2, "total": float("nan"), "g": [0.0, 4.0]}),
        ("val", {"step": 2, "epoch": 1.0, "m": {"val": 0.5}, "split": "validation", "best": True}),
        ("gate", {"step": 2, "layer": "q", "c": "", "n": 0.0, "mx": [], "ent": 0.1, "load": []}),
        ("health", {"code": "grad_none", "level": "error", "hint": "no gradient"}),
    )
    found = history(tmp_path)
    assert found.gradients["a"].values == [3.0, 0.0]
    assert (found.gradients["b"].steps, found.gradients["b"].values) == ([2], [4.0])
    assert found.gradients["total"].values[1] != found.gradients["total"].values[1]  # nan
    assert found.evaluations == [Evaluation(2, "validation", {"val": 0.5}, True, found.evaluations[0].t)]
    assert found.latest["gate q"]["step"] == 2
    assert found.latest["grad"]["g"] == [0.0, 4.0]
    assert [notice["k"] for notice in found.notices] == ["health"]


def test_history_in_pieces_is_history_at_once(tmp_path: Path) -> None:
    write(tmp_path, ("start", {"attempt": 1}), *[("s", {"step": s, "m": {"loss": 1.0}}) for s in range(1, 30)])
    write(tmp_path, ("start", {"attempt": 2, "resumed_from": 9}), ("s", {"step": 10, "m": {"loss": 2.0}}))
    found = History()
    for event in Tail(tmp_path / "events.jsonl").read():
        found.add([event])
    assert vars(found) == vars(history(tmp_path))


def test_a_console_is_followed_to_its_end_line_by_line(tmp_path: Path) -> None:
    path, living = tmp_path / "console.log", threading.Event()
    living.set()
    path.write_bytes(b"one\ntw")
    seen = follow(path, living.is_set, wait=0.001)
    assert next(seen) == "one"
    with path.open("ab") as file:
        file.write(b"o\x1b[2J\n10%\r90%\r100%\n")
    assert [next(seen), next(seen)] == ["two", "100%"]
    with path.open("ab") as file:
        file.write("last, without an end: é".encode())
    living.clear()
    assert list(seen) == ["last, without an end: é"]


def test_a_file_that_is_not_there_gives_nothing(tmp_path: Path) -> None:
    assert Growing(tmp_path / "missing").read() == b""
    assert vars(history(tmp_path)) == vars(History())
    assert list(follow(tmp_path / "missing", lambda: False)) == []
