"""What is examined: an experiment's configuration, the finished runs that belong to it, and a rehearsal of the rest.

A stage without a finished run is rehearsed: its own code runs on a cut of the data for a few steps, in a folder that is
thrown away. Every training stage is rehearsed, finished or not, because what is about to be trained is examined there.
"""

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from numpy.typing import NDArray
from torch import Tensor

from engine.config import Config, dump
from engine.data import catalogue
from engine.data.sequences import Rows, Sequences
from engine.doctor import cut
from engine.doctor.outcome import NotThere
from engine.errors import UserError
from engine.runs.run import Run
from engine.runs.schema import ARTIFACTS, CONFIG, RunInfo
from engine.stages import (
    ITEMS,
    PROFILE,
    SEQUENCES,
    TEST,
    VALIDATION,
    Artifact,
)
from engine.training import fit, weights

CUT = "cut"  # the data run that rehearsals are made from
ARITHMETIC = (ArithmeticError, LookupError, RuntimeError, ValueError)  # how broken data or code shows itself

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Learner:
    """What a stage was about to train."""

    module: Any  # LightningModule: training_step(step, 0), configure_optimizers()
    plan: fit.TrainingPlan
    groups: Mapping[str, Any]
    start: dict[str, Tensor]  # what learns, and buffers, before the first step
    learning: frozenset[str]  # names of what learns

    def fresh(self) -> Any:
        """The module as it was before its first step, with dropout off."""
        weights.put(self.module, self.start)
        for name, value in self.module.named_parameters():
            value.requires_grad_(name in self.learning)  # a stage freezes what it has trained
        self.module.zero_grad(set_to_none=True)
        return self.module.eval()

    def loss(self, step: int) -> tuple[Tensor, Tensor]:
        """The loss of a step, and the part of it that the data alone asks for."""
        told = self.module.training_step(step, 0)
        if isinstance(told, Tensor):
            return told, told.detach()
        return told["loss"], told.get("base", told["loss"]).detach()


class Rehearsal(Run):
    """A run in the scratch folder that keeps what it is about to train."""

    learner: Learner | None = None

    def training_begins(self, module: Any, plan: Any, groups: Mapping[str, Any]) -> None:
        start = {name: value.detach().clone() for name, value in weights.state(module).items()}
        self.learner = Learner(module, plan, groups, start, frozenset(weights.trained(module)))


class Case:
    """One experiment. ``finished``: stage -> folder of a finished run that this configuration would reuse."""

    def __init__(
        self, config: Config, inputs: Mapping[str, list[str]], finished: Mapping[str, Path], scratch: Path, tell: Tell
    ) -> None:
        """``inputs``: stages of the pipeline, makers first -> the stages whose runs each opens."""
        self.config, self.inputs, self.scratch, self.tell = config, inputs, scratch, tell
        self.finished = {stage: folder.name for stage, folder in finished.items()}
        self._rehearsed: dict[str, Rehearsal | NotThere] = {}
        self._made: dict[str, Any] = {}
        self.broken: dict[str, str] = {}  # stage -> why its rehearsal ended in an error
        for folder in finished.values():
            self._link(folder)

    @cached_property
    def device(self) -> str:
        return fit.device(self.config.trainer)

    # -- runs ----------------------------------------------------------------------------------------------------

    def trained(self, stage: str) -> Path:
        """The folder of a finished run; NotThere when there is none: figures of a rehearsal say nothing."""
        if stage not in self.finished:
            raise NotThere(f"{stage} is not trained yet")
        return self.scratch / self.finished[stage]

    def run_of(self, stage: str) -> Path:
        """The finished run of a stage, or its rehearsal."""
        return self.trained(stage) if stage in self.finished else self.rehearsal(stage).folder

    def artifact(self, artifact: Artifact) -> Path:
        """Where the newest artifact of that kind lies; NotThere when its stage made none."""
        return made(self.run_of(artifact.stage), artifact)

    def input_of(self, stage: str, artifact: Artifact) -> Path:
        """The artifact as the run of ``stage`` was made from it."""
        maker = RunInfo.read(self.run_of(stage)).inputs[artifact.stage]
        return made(self.scratch / maker, artifact)

    def rehearsal(self, stage: str) -> Rehearsal:
        """The stage's own code, run for a few steps. Raises NotThere with the reason when it cannot be."""
        if stage not in self.inputs:
            raise NotThere(f"this experiment has no {stage}")
        if stage not in self._rehearsed:
            self._rehearsed[stage] = self._rehearse(stage)
        found = self._rehearsed[stage]
        if isinstance(found, NotThere):
            raise found
        return found

    def learner(self, stage: str) -> Learner:
        """What a training stage is about to train."""
        learner = self.rehearsal(stage).learner
        if learner is None:
            raise NotThere(f"{stage} trains nothing here")
        return learner

    def scratch_run(self, stage: str, inputs: Mapping[str, str], name: str = "rehearsed") -> Rehearsal:
        """A run folder beside the others, whose inputs are these runs."""
        folder = self.scratch / f"{stage}-{name}"
        folder.mkdir()
        (folder / CONFIG).write_text(dump(self.config), encoding="utf-8")
        RunInfo(folder.name, stage, "doctor", self.config.seed, "", dict(inputs)).write(folder)
        return Rehearsal(folder)

    def _rehearse(self, stage: str) -> Rehearsal | NotThere:
        if stage == "backbone" and self.config.backbone.source == "hub":
            return NotThere("the language model would be fetched: engine run backbone makes it ready first")
        try:
            inputs = {maker: self._input(maker) for maker in self.inputs[stage]}
        except NotThere as reason:
            return reason
        self.tell(f"rehearse {stage}")
        run = self.scratch_run(stage, inputs)
        short = self.config if stage == "data" else cut.short(self.config)
        try:
            importlib.import_module(f"engine.{stage}.stage").run(short, run)
        except (UserError, *ARITHMETIC) as error:
            told = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            self.broken[stage] = told
            return NotThere(f"{stage} does not run: {told}")
        return run

    def _input(self, maker: str) -> str:
        """The run that a rehearsal is made from: small where it may be."""
        if maker == "data":
            return self.small.name
        if maker == "knowledge" and maker in self.finished:
            return cut.knowledge(self.trained(maker), self.scratch, self.sequences_of_cut).name
        return self.run_of(maker).name

    @cached_property
    def small(self) -> Path:
        """The data run with the first few users and rows only."""
        return cut.data(self.run_of("data"), self.scratch / CUT)

    @cached_property
    def sequences_of_cut(self) -> Sequences:
        return Sequences.load(made(self.small, SEQUENCES))

    def _link(self, folder: Path) -> None:
        """The run and all that it was made from, beside the rehearsals."""
        place = self.scratch / folder.name
        if place.exists():
            return
        place.symlink_to(folder.absolute(), target_is_directory=True)
        for maker in RunInfo.read(folder).inputs.values():
            if (folder.parent / maker).is_dir():
                self._link(folder.parent / maker)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made once for all checks."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    # -- data ----------------------------------------------------------------------------------------------------

    @cached_property
    def profile(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.artifact(PROFILE).read_text(encoding="utf-8"))
        return found

    @cached_property
    def sequences(self) -> Sequences:
        return Sequences.load(self.artifact(SEQUENCES))

    @cached_property
    def rows(self) -> dict[str, Rows]:
        """Held-out rows by split. The doctor may look at test rows: it trains and chooses nothing."""
        return {"validation": Rows.load(self.artifact(VALIDATION)), "test": Rows.load(self.artifact(TEST))}

    @cached_property
    def titles(self) -> list[str]:
        """Title of every item id; the padding's is ''."""
        return catalogue.titles(self.artifact(ITEMS))

    def table(self, artifact: Artifact, columns: list[str]) -> dict[str, NDArray[Any]]:
        """Columns of a Parquet artifact."""
        found = pq.read_table(self.artifact(artifact), columns=columns)
        return {name: found[name].to_numpy() for name in columns}

    @property
    def items(self) -> int:
        return int(self.profile["items"])

    def named(self, items: NDArray[Any] | list[int]) -> str:
        """Titles of item ids for a person's eye."""
        known = range(1, len(self.titles))
        return " | ".join(self.titles[item] if item in known else f"id {item}" for item in map(int, items))


def made(folder: Path, artifact: Artifact) -> Path:
    path = folder / ARTIFACTS / artifact.file
    if not path.exists():
        raise NotThere(f"{artifact.stage} wrote no {artifact.file}")
    return path
