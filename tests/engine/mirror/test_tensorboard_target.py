from pathlib import Path
from typing import Any

import pytest

from engine.jobs.store import Store
from engine.mirror.copying import Copy, opener
from engine.mirror.tensorboard_target import Written
from engine.runs.run import Run
from tests.engine.mirror.conftest import first, second
from tests.fixtures.event_runs import attempt, new_run


def copy(store: Store, folder: Path, to: Path) -> Path:
    """Bring the copy up to date; the event file."""
    Copy(store, store.entry(folder), opener("tensorboard", str(to))).advance()
    (path,) = (to / folder.name).glob("events.out.tfevents.*")
    return path


def accumulated(path: Path) -> Any:
    pytest.importorskip("tensorboard", reason="not installed: pip install 'recdistill[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(path.parent), size_guidance={"scalars": 0, "histograms": 0, "tensors": 0}).Reload()


def test_the_reader_finds_curves_histograms_settings_and_results(store: Store, finished: Path, tmp_path: Path) -> None:
    found = accumulated(copy(store, finished, tmp_path / "tb"))
    assert [one.value for one in found.Scalars("train/loss")] == pytest.approx([1 / step for step in range(1, 11)])
    assert [one.step for one in found.Histograms("gate/q_proj/e1")] == [10]
    assert [one.value for one in found.Scalars("best/val_ndcg@10")] == pytest.approx([0.1])
    from tensorboard.plugins.hparams import metadata

    content = found.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    assert metadata.parse_session_start_info_plugin_data(content).hparams["student.dropout"].number_value == 0.3


def test_copying_again_adds_nothing(store: Store, finished: Path, tmp_path: Path) -> None:
    before = copy(store, finished, tmp_path / "tb").read_bytes()
    assert copy(store, finished, tmp_path / "tb").read_bytes() == before


def test_a_copy_in_pieces_is_the_copy_in_one(store: Store, tmp_path: Path) -> None:
    folder = new_run(store)

    def report(run: Run) -> None:
        run.describe({"embedding": 10, "blocks": 20})
        for step in range(1, 9):
            run.scalars(step, {"loss": 1 / step})
            run.gradients(step, 2.0, [1.0, 2.0], None, False)
            copy(store, folder, tmp_path / "pieces")

    attempt(folder, report)
    assert copy(store, folder, tmp_path / "pieces").read_bytes() == copy(store, folder, tmp_path / "one").read_bytes()


@pytest.mark.parametrize("torn", [0, 1, 500, -4000])
def test_a_copy_that_was_interrupted_goes_on_without_doubles(
    store: Store, finished: Path, tmp_path: Path, torn: int
) -> None:
    """Its process was killed between the events and the note of how far they go, or within the events.

    Below 0: what it had written is longer than what is written now.
    """
    whole = copy(store, finished, tmp_path / "one").read_bytes()
    path = copy(store, finished, tmp_path / "two")
    Written(-1, "", 0).write(path.parent)
    path.write_bytes(whole[: len(whole) - torn] + b"x" * -torn)
    assert copy(store, finished, tmp_path / "two").read_bytes() == whole


def test_a_resumed_run_replaces_what_came_after_its_checkpoint(store: Store, tmp_path: Path) -> None:
    folder = new_run(store)
    attempt(folder, first)
    copy(store, folder, tmp_path / "tb")
    attempt(folder, second, 2)
    found = accumulated(copy(store, folder, tmp_path / "tb"))
    steps = [one.step for one in found.Scalars("train/loss")]
    values = [one.value for one in found.Scalars("train/loss")]
    assert steps == list(range(1, 13))
    assert values == pytest.approx([1 / step if step < 8 else -step for step in steps])


def test_a_run_that_begins_anew_at_step_zero_keeps_its_settings(store: Store, tmp_path: Path) -> None:
    folder = new_run(store)
    attempt(folder, lambda run: run.scalars(0, {"loss": 1.0}))
    copy(store, folder, tmp_path / "tb")
    attempt(folder, lambda run: run.scalars(0, {"loss": 2.0}), 2)
    found = accumulated(copy(store, folder, tmp_path / "tb"))
    assert [one.value for one in found.Scalars("train/loss")] == [2.0]
    from tensorboard.plugins.hparams import metadata

    assert found.Tensors(metadata.SESSION_START_INFO_TAG)


def test_the_hparams_tab_has_a_line_for_each_run(store: Store, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="not installed: pip install 'recdistill[tensorboard]'")
    from tensorboard import context
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    for dropout in (0.1, 0.3):
        folder = new_run(store, f"student.dropout={dropout}")
        attempt(folder, first)
        copy(store, folder, tmp_path / "tb")
    runs = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "tb")).Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(tmp_path / "tb"))
    backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    asked = api_pb2.ListSessionGroupsRequest(slice_size=10, allowed_statuses=[0, 1, 2, 3])
    found = list_session_groups.Handler(context.RequestContext(), backend, "all", asked).run()
    lines = {group.hparams["student.dropout"].number_value: group.sessions[0].status for group in found.session_groups}
    assert lines == {0.1: 1, 0.3: 1}  # 1: success
