"""Copies in a real MLflow with an SQLite file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RunError
from engine.jobs.store import Store
from engine.mirror.copying import Copy
from engine.mirror.mlflow_target import MlflowStore
from engine.runs.run import Run
from tests.engine.mirror.conftest import first, second
from tests.fixtures.event_runs import attempt, new_run

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowStore]:
    pytest.importorskip("mlflow", reason="not installed: pip install 'recdistill[mlflow]'")
    yield MlflowStore(str(tmp_path_factory.mktemp("mlflow")))


def mine(server: MlflowStore, folder: Path) -> Any:
    experiment = server.client.get_experiment_by_name("try")
    (found,) = server.client.search_runs([experiment.experiment_id], f"tags.\"recdistill.run\" = '{folder.name}'")
    return found


def curve(server: MlflowStore, run: Any, name: str) -> dict[int, float]:
    found = server.client.get_metric_history(run.info.run_id, name)
    assert len({one.step for one in found}) == len(found)  # nothing doubled
    return {one.step: one.value for one in found}


def test_a_run_has_its_curves_settings_results_and_end(server: MlflowStore, store: Store, finished: Path) -> None:
    for _ in range(2):  # the second time nothing is new
        Copy(store, store.entry(finished), server.open).advance()
    run = mine(server, finished)
    assert curve(server, run, "train/loss") == pytest.approx({step: 1 / step for step in range(1, 11)})
    assert curve(server, run, "validation/val_ndcg_at_10") == {5: 0.05, 10: 0.1}
    assert curve(server, run, "gate/q_proj/load e0") == {10: 0.6}
    assert run.data.metrics["best/val_ndcg_at_10"] == 0.1
    assert run.data.params["student.dropout"] == "0.3"
    assert (run.info.run_name, run.info.status, run.info.end_time) == (finished.name, "FINISHED", 1_800_000_100_000)
    assert run.data.tags["stage"] == "student"


def test_a_copy_goes_on_where_it_stopped_and_survives_a_server_that_is_gone(
    server: MlflowStore, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run(store)
    attempt(folder, first, ends=False)
    copy = Copy(store, store.entry(folder), server.open)
    copy.advance()
    calls: list[int] = []
    real = server.client.log_batch

    def gone(*given: Any, **named: Any) -> None:
        calls.append(1)
        if len(calls) == 1:  # the first request arrives, its answer does not
            real(*given, **named)
        raise ConnectionError("the server is gone")

    attempt(folder, lambda run: [run.scalars(step, {"loss": 9.0}) for step in (11, 12)], 2)  # type: ignore[arg-type]
    monkeypatch.setattr(server.client, "log_batch", gone)
    with pytest.raises(RunError, match="the server is gone") as caught:
        copy.advance()
    assert "goes on where it stopped" in caught.value.remedy
    monkeypatch.undo()
    copy.advance()
    assert curve(server, mine(server, folder), "train/loss")[12] == 9.0
    Copy(store, store.entry(folder), server.open).advance()
    assert mine(server, folder).info.status == "FINISHED"


def test_a_run_that_goes_on_after_its_end_is_at_work_again(server: MlflowStore, store: Store) -> None:
    folder = new_run(store)
    attempt(folder, first)
    Copy(store, store.entry(folder), server.open).advance()
    statuses: list[str] = []

    def work(run: Run) -> None:
        run.resumed(10)
        run.scalars(11, {"loss": 1.0})
        Copy(store, store.entry(folder), server.open).advance()
        statuses.append(mine(server, folder).info.status)

    attempt(folder, work, 2)
    Copy(store, store.entry(folder), server.open).advance()
    assert [*statuses, mine(server, folder).info.status] == ["RUNNING", "FINISHED"]


def test_points_that_are_replaced_before_they_are_copied_are_not_copied(server: MlflowStore, store: Store) -> None:
    folder = new_run(store)
    attempt(folder, first)
    attempt(folder, second, 2)
    Copy(store, store.entry(folder), server.open).advance()
    found = curve(server, mine(server, folder), "train/loss")
    assert found == pytest.approx({step: 1 / step if step < 8 else -step for step in range(1, 13)})
