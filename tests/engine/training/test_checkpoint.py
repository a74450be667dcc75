"""A checkpoint holds everything, and a damaged one is passed over."""

from typing import cast

import pytest
import torch

from engine.errors import RunError
from engine.runs.read_only import ReadOnlyRun
from engine.runs.run import Run
from engine.training import checkpoint
from engine.training.checkpoint import Snapshot, TrainState
from tests.fixtures.training import events


def snapshot(step: int) -> Snapshot:
    parameter = torch.nn.Parameter(torch.arange(3.0))
    optimizer = torch.optim.AdamW([parameter], lr=0.1 * step)
    parameter.grad = torch.ones(3) * step
    optimizer.step()
    return Snapshot(
        state=TrainState(step=step, best_step=step - 1, best={"val_ndcg@10": 0.25}, stale=1, positions=7, seconds=1.5),
        model={"w": parameter.detach() * step},
        best={"w": torch.ones(3)},
        average={"w": torch.zeros(3)},
        optimizer=optimizer.state_dict(),
        random=checkpoint.random_states(),
    )


def test_the_newest_checkpoint_is_read_back_as_it_was_saved(run: Run) -> None:
    saved = [snapshot(step) for step in (1, 2, 3)]
    for one in saved:
        checkpoint.save(run, one)
    found = checkpoint.newest(run)
    assert found is not None and found.state == saved[-1].state
    for part in ("model", "best", "average", "random"):
        wanted, got = getattr(saved[-1], part), getattr(found, part)
        assert wanted.keys() == got.keys() and all(torch.equal(wanted[name], got[name]) for name in wanted)
    assert found.optimizer["param_groups"] == [
        group | {"betas": list(group["betas"])} for group in saved[-1].optimizer["param_groups"]
    ]
    for name, value in saved[-1].optimizer["state"][0].items():
        assert torch.equal(found.optimizer["state"][0][name], value)
    assert [path.name for path in sorted(run.checkpoints.glob("step-*"))] == [
        "step-00000002.safetensors", "step-00000003.safetensors",
    ]  # fmt: skip


def test_a_process_that_trains_beside_the_reporting_one_deletes_nothing(run: Run) -> None:
    run.checkpoints.mkdir()
    for step in range(1, 5):  # four files: two more than are kept
        (run.checkpoints / f"step-{step:08d}.safetensors").touch()
    checkpoint.save(cast(Run, ReadOnlyRun(run.folder)), snapshot(5))
    assert len(list(run.checkpoints.glob("step-*"))) == 4
    checkpoint.save(run, snapshot(5))
    assert [path.name[:13] for path in sorted(run.checkpoints.glob("step-*"))] == ["step-00000004", "step-00000005"]


def test_a_damaged_checkpoint_is_reported_and_the_one_before_it_is_read(run: Run) -> None:
    with run:
        for step in (1, 2):
            checkpoint.save(run, snapshot(step))
        newest = run.checkpoints / "step-00000002.safetensors"
        newest.write_bytes(newest.read_bytes()[:-40])
        found = checkpoint.newest(run)
    assert found is not None and found.state.step == 1
    assert events(run, "health")[0]["code"] == "checkpoint_damaged"


def test_without_a_whole_checkpoint_the_remedy_is_a_new_run(run: Run) -> None:
    with run:
        assert checkpoint.newest(run) is None
        checkpoint.save(run, snapshot(1))
        (run.checkpoints / "step-00000001.safetensors").write_bytes(b"")
        with pytest.raises(RunError, match=r"(?s)no checkpoint.*engine run student --again"):
            checkpoint.newest(run)


def test_random_numbers_go_on_where_they_were() -> None:
    states = checkpoint.random_states()
    first = torch.rand(3)
    checkpoint.restore_random(states)
    assert torch.equal(torch.rand(3), first)
