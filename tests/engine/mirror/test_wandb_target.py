"""Offline sessions of the real Weights & Biases, read from its own files."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.store import Store
from engine.mirror.copying import Copy, opener
from engine.mirror.wandb_target import Sessions
from engine.runs.run import Run
from tests.engine.mirror.conftest import COUNTS, first
from tests.fixtures.event_runs import attempt, new_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
HEADER, BLOCK = 7, 32768  # of the log format: LevelDB's, behind seven bytes of its own


def records(path: Path) -> Iterator[Any]:
    """The records of a session's transaction log."""
    from wandb.proto import wandb_internal_pb2 as protocol

    data, at, whole = path.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        size, kind = struct.unpack("<4xHB", data[at : at + HEADER])
        whole += data[at + HEADER : at + HEADER + size]
        at += HEADER + size
        if kind in (1, 4):  # full, or the last part
            record = protocol.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def sessions(folder: Path) -> list[list[Any]]:
    """The records of every session, in order."""
    return [list(records(path)) for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))]


def rows(found: list[list[Any]]) -> list[dict[str, Any]]:
    return [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for session in found
        for record in session
        if record.HasField("history")
    ]


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    pytest.importorskip("wandb", reason="not installed: pip install 'recdistill[wandb]'")
    return tmp_path / "wandb-offline"


def test_a_run_has_its_curves_histograms_settings_and_figures(store: Store, finished: Path, copies: Path) -> None:
    for _ in range(2):  # the second time nothing is new, and no session is made
        Copy(store, store.entry(finished), opener("wandb", str(copies))).advance()
    (session,) = sessions(copies / finished.name)
    found = rows([session])
    assert {row["step"]: row["train/loss"] for row in found if "train/loss" in row} == pytest.approx(
        {step: 1 / step for step in range(1, 11)}
    )
    (gate,) = [row["gate/q_proj/e0/values"] for row in found if "gate/q_proj/e0/values" in row]
    assert gate == pytest.approx(COUNTS[0], rel=0.01)
    (run,) = [record.run for record in session if record.HasField("run")]
    assert (run.run_id, run.run_group, run.job_type) == (finished.name, "try", "student")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["student.dropout"] == 0.3
    summary = {
        item.key: json.loads(item.value_json)
        for record in session
        if record.HasField("summary")
        for item in record.summary.update
    }
    assert summary["best/val_ndcg@10"] == 0.1 and summary["state"] == "DONE"


def test_an_interrupted_session_is_made_again_and_later_events_are_another(store: Store, copies: Path) -> None:
    folder = new_run(store)
    attempt(folder, first)
    Copy(store, store.entry(folder), opener("wandb", str(copies))).advance()
    Sessions().write(copies / folder.name)  # as if the mirror had died before it noted the session
    Copy(store, store.entry(folder), opener("wandb", str(copies))).advance()
    assert len(sessions(copies / folder.name)) == 1

    def more(run: Run) -> None:
        run.resumed(10)
        run.scalars(11, {"loss": 5.0})

    attempt(folder, more, 2)
    Copy(store, store.entry(folder), opener("wandb", str(copies))).advance()
    found = [row["step"] for row in rows(sessions(copies / folder.name)) if "train/loss" in row]
    assert sorted(found) == list(range(1, 12))
