"""What a stage asks of a training: how long, how fast, and what counts as better."""

from collections.abc import Callable
from dataclasses import dataclass

TOKENS = "tokens"  # what a step that reads prompts returns beside its loss: how many it read


@dataclass(frozen=True)
class TrainingPlan:
    """How long to train, how fast, and what counts as better."""

    steps: int  # optimizer steps at most
    per_epoch: int  # steps of one pass over the data
    evaluate_every: int  # steps between two evaluations
    patience: int  # evaluations without a new best before the end; 0: never
    metric: str  # the evaluated number that decides; larger is better, unless:
    rate: Callable[[int], float]  # factor on each optimizer group's learning rate, by steps done
    clip: float | None = None  # largest total gradient norm
    average: float | None = None  # decay of the running mean of weights that is evaluated and kept
    lower_is_better: bool = False
    skips: bool = False  # some steps leave parameters without a gradient: several processes must look for them
    precision: str | None = None  # of the forward pass; None: trainer.precision
    sharded: bool = False  # the module has weights in parts on several devices
    shared_evaluation: bool = False  # every process evaluates a part; otherwise the first one does alone
    uniform: tuple[str, float] | None = None  # a reported loss, and its value where all items have one score
    resting: tuple[str, ...] = ()  # parameter groups that may go without a gradient for many steps, not for all

    def newest(self, step: int) -> float:
        """Share of the newest weights in their running mean after ``step`` steps; early weights are soon forgotten."""
        assert self.average is not None
        return 1.0 - min(self.average, (1 + step) / (10 + step))


def is_reported(step: int, every: int) -> bool:
    """Whether there is a report after ``step`` steps."""
    return step % every == 0 or step == 1
