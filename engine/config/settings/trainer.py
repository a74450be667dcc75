"""Where and in which precision training runs: nothing here may change what is learned, except ``precision``."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting


@dataclass
class TrainerSettings:
    """The machine side of training, shared by all stages that train."""

    accelerator: str = setting("where tensors live; auto: a GPU where there is one", choices=("cpu", "gpu", "auto"))
    devices: int = setting("processes that share each batch, one per device", low=1)
    precision: str = setting(
        "number format of the forward pass; weights stay float32", choices=("32-true", "bf16-mixed")
    )
    matmul: str = setting("how float32 products are computed on a GPU: high allows TF32", choices=("highest", "high"))
    compile: bool = setting("translate the network with torch.compile; pays on a GPU, for long trainings")
    cuda_graph: bool = setting("replay the network's passes as CUDA graphs: closes launch gaps of small models")
    report_every: int = setting("steps between two reports of loss, gradients and speed", low=1)

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if self.cuda_graph and self.accelerator == "cpu":
            yield "cuda_graph", "must be false on trainer.accelerator=cpu, because only a GPU has CUDA graphs"
        if self.compile and self.accelerator == "cpu":
            yield (
                "compile",
                "must be false on trainer.accelerator=cpu, where it gains a tenth after a minute of compiling",
            )
        if self.cuda_graph and self.compile:
            yield "cuda_graph", "must be false with trainer.compile, because each replaces the network's forward pass"
        if self.cuda_graph and self.devices > 1:
            yield "cuda_graph", "must be false with trainer.devices > 1, because processes communicate within a step"
