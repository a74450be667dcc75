"""Memory that does not suffice: real refusals of the allocators, and the messages about them."""

import pytest
import torch

from engine.errors import UserError
from engine.training import memory


def refusal() -> UserError:
    return memory.smaller("knowledge.batch", 64, "prompt")


def test_main_memory_that_is_refused_names_half_the_batch() -> None:
    with pytest.raises(UserError, match=r"(?s)64 prompts do not fit.*knowledge.batch=32"), memory.enough(refusal):
        torch.empty(1 << 60)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"), MemoryError()]
)
def test_a_full_gpu_and_a_full_machine_are_told_the_same(error: Exception) -> None:
    with pytest.raises(UserError, match=r"knowledge\.batch=32"), memory.enough(refusal):
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory.enough(refusal):
        raise RuntimeError("shapes do not fit")


def test_a_batch_of_one_cannot_be_halved() -> None:
    assert "knowledge.batch=" not in memory.smaller("knowledge.batch", 1, "prompt").remedy
