"""A language model in parts on several processes: each reads its own part, and together they are the model."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed as dist
from torch.distributed.tensor import DTensor
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from engine.backbone import language, sharding
from engine.backbone.tokenizer import train_tokenizer
from engine.training.processes import Processes
from tests.fixtures.processes import forked

WORDS = train_tokenizer(["Iron Meadow", "Old Salt and the Sea of Glass"], 300)
IDS = torch.arange(24).view(2, 12)
MEGABYTE = 2**20
MMAP_THRESHOLD = -3  # of mallopt


def llama(width: int, layers: int, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=width,
        intermediate_size=2 * width + 1,  # rows that two processes cannot share equally
        num_hidden_layers=layers,
        num_attention_heads=2,
        **changes,
    )
    return LlamaForCausalLM(config)


def peak(reset: bool = False) -> int:
    """Bytes of main memory of this process at most, since it was reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def in_two_processes(work: Callable[[Processes], Any], folder: Path) -> list[Any]:
    """What ``work`` returns in each of two forked processes that communicate over gloo."""

    def child(rank: int) -> None:
        dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
        torch.save(work(Processes(rank, 2)), folder / f"{rank}.pt")
        dist.barrier()
        dist.destroy_process_group()

    assert forked(child) == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def read(folder: Path, precision: str = "32-true", before: Path | None = None) -> Callable[[Processes], dict[str, Any]]:
    """Reads a folder's model in parts; what the process then has, and how much memory that took.

    ``before``: the folder of a small one, read first for what the libraries themselves take.
    """

    def work(processes: Processes) -> dict[str, Any]:
        # Memory that is freed goes back at once: the C library would keep that of gathered blocks for later.
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, 2**16)
        if before is not None:
            sharding.load(before, precision, "cpu", processes)
        start = peak(reset=True)
        model, _, held = sharding.load(folder, precision, "cpu", processes)
        grown = peak() - start
        parts = {name: value.to_local() for name, value in model.named_parameters() if isinstance(value, DTensor)}
        rest = {name: value for name, value in model.named_parameters() if name not in parts}
        with torch.no_grad():
            logits = model(input_ids=IDS, use_cache=False).logits
        return {"grown": grown, "parts": parts, "rest": rest, "logits": logits, "held": vars(held)}

    return work


def test_each_process_reads_its_own_rows_and_none_ever_holds_the_whole(tmp_path: Path) -> None:
    whole = llama(448, 12)
    language.save(whole, WORDS, tmp_path / "model")
    size = sum(4 * value.numel() for value in whole.model.layers.parameters())
    assert size > 80 * MEGABYTE
    language.save(llama(16, 1), WORDS, tmp_path / "small")
    found = in_two_processes(read(tmp_path / "model", before=tmp_path / "small"), tmp_path)
    # half of the weights, and what is gathered while the model runs: some blocks
    assert all(size / 2 < each["grown"] < size * 0.75 for each in found), [each["grown"] for each in found]
    weights = whole.state_dict()
    for name, value in found[0]["parts"].items():
        assert torch.equal(torch.cat([value, found[1]["parts"][name]]), weights[name]), name
        assert len(value) == -(-len(weights[name]) // 2)
    for each in found:
        assert each["held"]["whole"] == size // 4 and each["held"]["read_whole"] is None
        assert each["held"]["here"] == sum(value.numel() for value in each["parts"].values())
        assert all(torch.equal(value, weights[name]) for name, value in each["rest"].items())
        with torch.no_grad():
            torch.testing.assert_close(each["logits"], whole.eval()(input_ids=IDS).logits)


@pytest.mark.parametrize("kept", [None, 1])
def test_tied_weights_in_several_files_some_blocks_and_half_precision_are_read_like_in_one_process(
    tmp_path: Path, kept: int | None
) -> None:
    folder = tmp_path / "model"
    llama(32, 3, tie_word_embeddings=True).save_pretrained(folder / "weights", max_shard_size="20KB")
    WORDS.save_pretrained(folder / "weights")
    assert len(list((folder / "weights").glob("*.safetensors"))) > 2
    language.refer(folder / "weights", folder, kept)
    whole, _ = language.load(folder, "bf16-mixed", "none", "cpu")
    for each in in_two_processes(read(folder, "bf16-mixed"), tmp_path):
        assert each["held"]["read_whole"] is None and all(
            part.dtype == torch.bfloat16 for part in each["parts"].values()
        )
        with torch.no_grad():
            assert torch.equal(each["logits"], whole(input_ids=IDS).logits)


def test_weights_that_cannot_be_read_in_slices_are_read_whole_and_the_reason_is_kept(tmp_path: Path) -> None:
    """Weights of the type gpt2 are written without the prefix that they have in the model."""
    torch.manual_seed(0)
    whole = GPT2LMHeadModel(GPT2Config(vocab_size=len(WORDS), n_embd=16, n_layer=2, n_head=2, n_positions=32)).eval()
    language.save(whole, WORDS, tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    torch.save(weights, tmp_path / "model" / "pytorch_model.bin")
    (tmp_path / "model" / "model.safetensors").unlink()
    for each in in_two_processes(read(tmp_path / "model"), tmp_path):
        assert each["held"]["read_whole"] == "they are not in safetensors files"
        assert each["held"]["here"] < each["held"]["whole"]
        with torch.no_grad():
            torch.testing.assert_close(each["logits"], whole(input_ids=IDS).logits)
