"""What is written by hand is read by TensorBoard's own reader and protocol buffers."""

import math
from pathlib import Path
from typing import Any

import pytest

from engine.mirror import tensorboard_records as records

pytest.importorskip("tensorboard", reason="not installed: pip install 'recdistill[tensorboard]'")
TIME = 1_800_000_000.25


def read(path: Path, *events: bytes) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path.write_bytes(b"".join(map(records.record, [records.first_event(TIME), *events])))
    return EventAccumulator(str(path), size_guidance={"scalars": 0, "histograms": 0, "tensors": 0}).Reload()


def test_numbers_come_back_with_step_and_time(tmp_path: Path) -> None:
    values = [1.5, -0.25, 0.0, math.inf, math.nan, 1e300]
    events = [records.scalar("train/loss", step, value, TIME + step) for step, value in enumerate(values, start=300)]
    found = read(tmp_path / "events.out.tfevents.1", *events).Scalars("train/loss")
    assert [(one.step, one.wall_time) for one in found] == [(300 + k, TIME + 300 + k) for k in range(6)]
    assert [one.value for one in found][:4] == values[:4]
    assert math.isnan(found[4].value) and found[5].value == math.inf


def test_a_histogram_comes_back_with_its_parts_and_moments(tmp_path: Path) -> None:
    event = records.histogram("gate/q/e0", 7, [0.0, 2.0, 6.0, 0.0], TIME)
    (found,) = read(tmp_path / "events.out.tfevents.1", event).Histograms("gate/q/e0")
    value = found.histogram_value
    assert (found.step, value.num, value.min, value.max) == (7, 8.0, 0.25, 0.75)
    assert value.bucket_limit == [0.25, 0.5, 0.75, 1.0] and value.bucket == [0.0, 2.0, 6.0, 0.0]
    assert value.sum == pytest.approx(2 * 0.375 + 6 * 0.625)
    assert value.sum_squares == pytest.approx(2 * 0.375**2 + 6 * 0.625**2)


def test_what_a_restart_replaces_is_gone(tmp_path: Path) -> None:
    events = [records.scalar("loss", step, 1.0, TIME) for step in range(1, 6)]
    again = [records.restart(3, TIME), records.scalar("loss", 3, 2.0, TIME)]
    found = read(tmp_path / "events.out.tfevents.1", *events, *again).Scalars("loss")
    assert [(one.step, one.value) for one in found] == [(1, 1.0), (2, 1.0), (3, 2.0)]


def test_settings_and_end_are_what_the_hparams_plugin_reads(tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import metadata

    settings: dict[str, str | float | bool] = {"student.dropout": 0.3, "student.model": "sasrec", "gated": False}
    events = [records.session_start(settings, "try", TIME), records.session_end(records.FAILURE, TIME)]
    found = read(tmp_path / "events.out.tfevents.1", *events)
    start = metadata.parse_session_start_info_plugin_data(
        found.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    )
    assert start.hparams["student.dropout"].number_value == 0.3
    assert start.hparams["student.model"].string_value == "sasrec"
    assert start.hparams["gated"].WhichOneof("kind") == "bool_value" and not start.hparams["gated"].bool_value
    assert (start.group_name, start.start_time_secs) == ("try", TIME)
    end = metadata.parse_session_end_info_plugin_data(
        found.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    )
    assert end.status == records.FAILURE
    assert found.Tensors(metadata.SESSION_START_INFO_TAG)
