"""Where and in which precision training runs: nothing here may change what is learned, except ``precision``."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting


@dataclass
class TrainerSettings:
    """The machine side of training, shared by all stages that train."""

    accelerator: str = setting("where tensors live; auto: a GPU where there is one", choices=("cpu", "gpu", "auto"))
    devices: int = setting("processes that share each batch, one per device", low=1)
    strategy: str = setting(
        "how several processes hold a teacher's language model: ddp, all of it each; fsdp, a part of every block each, "
        "for one that does not fit a device",
        choices=("ddp", "fsdp"),
    )
    precision: str = setting(
        "number format of the forward pass; weights stay float32", choices=("32-true", "bf16-mixed")
    )
    matmul: str = setting("how float32 products are computed on a GPU: high allows TF32", choices=("highest", "high"))
    compile: bool = setting("translate the network with torch.compile; pays on a GPU, for long trainings")
    cuda_graph: str = setting(
        "replay whole steps of a student as CUDA graphs, which closes launch gaps; auto: on a GPU, where the step's "
        "shape allows it; true: on a processor the same code without a graph, slower there, for tests",
        choices=("auto", "true", "false"),
    )
    report_every: int = setting("steps between two reports of loss, gradients and speed", low=1)

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if self.compile and self.accelerator == "cpu":
            yield (
                "compile",
                "must be false on trainer.accelerator=cpu, where it gains a tenth after a minute of compiling",
            )
        if self.strategy == "fsdp" and self.devices == 1:
            yield "strategy", "must be ddp with trainer.devices=1: one process has nobody to share with"
        if self.strategy == "fsdp" and self.compile:
            yield "strategy", "must be ddp with trainer.compile=true, which fixes where a block's weights lie"
        if self.cuda_graph == "true" and self.devices > 1:
            yield "cuda_graph", "must be auto or false with trainer.devices > 1: processes communicate within a step"
