"""How a command names runs."""

from pathlib import Path

import pytest

from engine.commands.run_ids import run_of, runs_of
from engine.errors import UserError
from engine.jobs.store import Store
from engine.runs.schema import RunInfo, new_id


def test_an_id_may_be_shortened_and_last_is_the_newest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run = store.create(RunInfo(new_id("data"), "data", "test", 1, "f" * 8), "").name
    assert [entry.id for entry in runs_of(store, [run, run[:-2], "last"])] == [run] * 3


@pytest.mark.parametrize("ids", [[], ["a", "b"]])
def test_a_command_for_one_run_shows_its_usage_for_any_other_number(tmp_path: Path, ids: list[str]) -> None:
    with pytest.raises(UserError, match=f"one run is needed, {len(ids)} are named") as error:
        run_of(Store(tmp_path), ids, "engine export ID --to DIR")
    assert "engine export ID --to DIR" in error.value.remedy
