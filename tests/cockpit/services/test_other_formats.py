"""Files of real writers, and of hostile ones."""

import math
import struct

import pytest

from cockpit.services.other_formats import EventFile, csv_events
from engine.mirror import tensorboard_records as records

TIME = 1_790_000_000.5


def read(path, piece=1 << 20):
    file, found = EventFile(path, piece), []
    while True:
        found += file.read()
        if not file.behind:
            return file, found


def points(events):
    return [(event["step"], event["m"]) for event in events if event["k"] == "s"]


def test_numbers_are_read_in_pieces_of_any_size(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    events = [records.scalar("train/loss", step, 1 / step, TIME) for step in range(1, 40)]
    events.append(records.histogram("gate", 3, [1.0, 2.0], TIME))
    path.write_bytes(b"".join(map(records.record, [records.first_event(TIME), *events])))
    for piece in (1, 7, 100, 1 << 20):
        found = points(read(path, piece)[1])
        assert [step for step, _ in found] == list(range(1, 40))
        assert [values["train/loss"] for _, values in found] == pytest.approx([1 / step for step in range(1, 40)])


def test_a_record_that_is_being_written_waits(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    whole = records.record(records.scalar("loss", 1, 2.0, TIME))
    path.write_bytes(whole[:-3])
    file, found = read(path)
    assert found == []
    path.write_bytes(whole + records.record(records.restart(1, TIME)))
    later = file.read()
    assert [event["k"] for event in later] == ["s", "start"] and later[1]["resumed_from"] == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 100,
        b"PAR1" * 50,
        struct.pack("<Q", 1 << 60) + b"x" * 50,
        records.record(b"\x0f\xff\xff"),
        records.record(b"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        records.record(struct.pack("<B", 9)),
    ],
)
def test_a_file_that_is_something_else_gives_no_numbers(tmp_path, data):
    (tmp_path / "events.out.tfevents.1").write_bytes(data)
    assert read(tmp_path / "events.out.tfevents.1")[1] == []


def test_what_tensorboards_own_writer_wrote_is_read(tmp_path):
    pytest.importorskip("tensorboard", reason="not installed: pip install 'recdistill[tensorboard]'")
    from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path))
    tensors = {
        "as float": tensor_pb2.TensorProto(dtype=1, float_val=[0.5]),
        "as double": tensor_pb2.TensorProto(dtype=2, double_val=[0.25]),
        "as bytes": tensor_pb2.TensorProto(dtype=1, tensor_content=struct.pack("<f", 1.5)),
        "text": tensor_pb2.TensorProto(dtype=7, string_val=[b"no number"]),
        "two": tensor_pb2.TensorProto(dtype=1, float_val=[1.0, 2.0]),
    }
    for step in range(3):
        values = [summary_pb2.Summary.Value(tag="loss", simple_value=step)]
        values += [summary_pb2.Summary.Value(tag=tag, tensor=tensor) for tag, tensor in tensors.items()]
        writer.add_event(event_pb2.Event(wall_time=TIME, step=step * 1000, summary=summary_pb2.Summary(value=values)))
    writer.close()
    (path,) = tmp_path.glob("events.out.tfevents.*")
    expected = {"as float": 0.5, "as double": 0.25, "as bytes": 1.5}
    assert points(read(path)[1]) == [(step * 1000, {"loss": float(step)} | expected) for step in range(3)]


def test_a_csv_log_gives_the_numbers_of_each_step_and_leaves_out_empty_cells(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train_loss,val_ndcg\n0,9,1.5,\n0,9,,0.25\nx,y,z,\n1,19,nan,0.5,7\n,29,inf\n")
    found = csv_events(path, TIME)
    assert [(event["step"], event.get("ep"), event["t"]) for event in found] == [
        *((9, 0.0, TIME), (9, 0.0, TIME), (19, 1.0, TIME), (29, None, TIME))
    ]
    assert found[0]["m"] == {"train_loss": 1.5} and found[1]["m"] == {"val_ndcg": 0.25}
    assert math.isnan(found[2]["m"]["train_loss"]) and found[3]["m"] == {"train_loss": math.inf}
