"""What the checks examine: a configuration, the finished runs that belong to it, and dry runs of the other stages.

A dry run is the stage's own code on a subset of the data for a few steps, in a temporary folder. Every training stage
has one, finished or not: the checks of learning look at the module before its first step.
"""

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.config import Config, dump
from engine.data import catalogue
from engine.data.repeated_targets import hides_seen, validation_share
from engine.data.sequences import Rows, Sequences
from engine.doctor import subset
from engine.doctor.check import Unavailable
from engine.errors import UserError
from engine.experiments.named_runs import named_runs
from engine.runs.lineage import folders
from engine.runs.run import Run
from engine.runs.schema import ARTIFACTS, CONFIG, RunInfo, Summary
from engine.stages import ITEMS, LANGUAGE_MODEL, PROFILE, RANKINGS, SEQUENCES, STAGES, TEST, VALIDATION, Artifact, makes
from engine.training import fit, weights

SUBSET = "subset"  # the data run that dry runs read
DEFECTS = (ArithmeticError, LookupError, RuntimeError, ValueError)  # raised by broken data or code


@dataclass(frozen=True)
class Trainable:
    """What a stage is about to train."""

    module: Any  # LightningModule: training_step(step, 0), configure_optimizers()
    plan: fit.TrainingPlan
    start: dict[str, Tensor]  # trainable parameters and buffers before the first step
    names: frozenset[str]  # of the trainable parameters

    def fresh(self) -> Any:
        """The module as it was before its first step, with dropout off."""
        weights.put(self.module, self.start)
        for name, value in self.module.named_parameters():
            value.requires_grad_(name in self.names)  # a stage freezes what it has trained
        self.module.zero_grad(set_to_none=True)
        return self.module.eval()

    def loss(self, step: int) -> tuple[Tensor, Tensor]:
        """The loss of a step, and the part of it that comes from the data alone."""
        with torch.enable_grad():  # some losses differentiate their own parts
            result = self.module.training_step(step, 0)
        if isinstance(result, Tensor):
            return result, result.detach()
        return result["loss"], result.get("base", result["loss"]).detach()

    def backward(self, step: int, optimizer: torch.optim.Optimizer) -> float:
        """Fills the gradients of a step; returns the part of its loss that comes from the data alone."""
        optimizer.zero_grad()
        loss, base = self.loss(step)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(base)


class DryRun(Run):
    """A run in the temporary folder that keeps what it is about to train."""

    trainable: Trainable | None = None

    def training_begins(self, module: Any, plan: Any, groups: Mapping[str, Any]) -> None:
        start = {name: value.detach().clone() for name, value in weights.state(module).items()}
        self.trainable = Trainable(module, plan, start, frozenset(weights.trained(module)))


class Case:
    """One experiment. ``finished``: stage -> folder of a finished run that this configuration would reuse."""

    def __init__(
        self,
        config: Config,
        inputs: Mapping[str, list[str]],
        finished: Mapping[str, Path],
        scratch: Path,
        progress: Callable[[str], None],
        root: Path | None = None,
    ) -> None:
        """``inputs``: stages of the pipeline in topological order -> the stages whose runs each opens.

        ``root``: the folder of the runs that settings name by their ids.
        """
        self.config, self.inputs, self.scratch, self.progress = config, inputs, scratch, progress
        self.finished = {stage: folder.name for stage, folder in finished.items()}
        self.errors: dict[str, str] = {}  # stage -> the error of its dry run
        self._dry_runs: dict[str, DryRun | Unavailable] = {}
        self._cache: dict[str, Any] = {}
        for folder in finished.values():
            self._link(folder)
        self.named = {stage: named_runs(STAGES[stage], config) for stage in inputs}  # name among the inputs -> id
        for run in [run for runs in self.named.values() for run in runs.values()]:
            if root is not None and (root / run).is_dir():
                self._link(root / run)

    @cached_property
    def device(self) -> str:
        return fit.device(self.config.trainer)

    # -- runs ----------------------------------------------------------------------------------------------------

    def trained(self, stage: str) -> Path:
        """The folder of a finished run; Unavailable without one: metrics of a dry run mean nothing."""
        if stage not in self.finished:
            raise Unavailable(f"{stage} is not trained yet")
        return self.scratch / self.finished[stage]

    def run_of(self, stage: str) -> Path:
        """The finished run of a stage, or its dry run."""
        return self.trained(stage) if stage in self.finished else self.dry_run(stage).folder

    def artifact(self, artifact: Artifact) -> Path:
        """The path of an artifact in the run of its stage; Unavailable when that run wrote none."""
        return artifact_of(self.run_of(artifact.stage), artifact)

    def input_of(self, stage: str, artifact: Artifact) -> Path:
        """The artifact that the run of ``stage`` has read."""
        return self._input_of(self.run_of(stage), artifact)

    def dry_input_of(self, stage: str, artifact: Artifact) -> Path:
        """The artifact that the dry run of ``stage`` has read."""
        return self._input_of(self.dry_run(stage).folder, artifact)

    def _input_of(self, folder: Path, artifact: Artifact) -> Path:
        return artifact_of(self.scratch / RunInfo.read(folder).inputs[artifact.stage], artifact)

    def dry_run(self, stage: str) -> DryRun:
        """The stage's own code, run for a few steps. Raises Unavailable with the reason when it cannot run."""
        if stage not in self.inputs:
            raise Unavailable(f"this experiment has no {stage}")
        if stage not in self._dry_runs:
            self._dry_runs[stage] = self._execute(stage)
        run = self._dry_runs[stage]
        if isinstance(run, Unavailable):
            raise run
        return run

    def trainable(self, stage: str) -> Trainable:
        """What a training stage is about to train."""
        trainable = self.dry_run(stage).trainable
        if trainable is None:
            raise Unavailable(f"{stage} trains nothing with these settings")
        return trainable

    def scratch_run(self, stage: str, inputs: Mapping[str, str], name: str = "dry-run") -> DryRun:
        """A new run in the temporary folder that reads the runs ``inputs``."""
        folder = self.scratch / f"{stage}-{name}"
        folder.mkdir()
        (folder / CONFIG).write_text(dump(self.config), encoding="utf-8")
        RunInfo(folder.name, stage, "doctor", self.config.seed, "", dict(inputs)).write(folder)
        return DryRun(folder)

    @property
    def model_weights(self) -> dict[str, float] | None:
        """Weight of each of ``knowledge.models`` as the finished knowledge has them; None of a teacher alone."""
        summary = Summary.read(self.trained("knowledge"))
        return summary.facts.get("models") if summary else None

    def _settings_of(self, stage: str) -> Config:
        """The settings of a dry run. Weights that a finished run chose are given: a subset would choose others."""
        if makes(stage, SEQUENCES):
            return self.config
        short, knowledge = subset.short(self.config), self.config.knowledge
        if knowledge.choose_weights and stage in self.finished and makes(stage, RANKINGS):
            kept = self.model_weights or {}
            given = replace(knowledge, choose_weights=False, weights=[kept[name] for name in knowledge.models])
            short = replace(short, knowledge=given)
        return short

    def _execute(self, stage: str) -> DryRun | Unavailable:
        if makes(stage, LANGUAGE_MODEL) and self.config.backbone.source == "hub":
            return Unavailable("the language model is not downloaded yet: engine run backbone")
        try:
            inputs = {maker: self._dry_input(maker) for maker in self.inputs[stage]} | self.named[stage]
        except Unavailable as reason:
            return reason
        self.progress(f"dry run of {stage}")
        run = self.scratch_run(stage, inputs)
        config = self._settings_of(stage)
        try:
            importlib.import_module(f"engine.{stage}.stage").run(config, run)
        except (UserError, *DEFECTS) as error:
            self.errors[stage] = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            return Unavailable(f"{stage} does not run: {self.errors[stage]}")
        return run

    def _dry_input(self, maker: str) -> str:
        """The run that a dry run reads: a subset where possible."""
        if makes(maker, SEQUENCES):
            return self.small.name
        if makes(maker, RANKINGS) and maker in self.finished:
            kept = Sequences.load(artifact_of(self.small, SEQUENCES))
            return subset.knowledge(self.trained(maker), self.scratch, kept).name
        return self.run_of(maker).name

    @cached_property
    def small(self) -> Path:
        """The data run with the first users and rows only."""
        return subset.data(self.run_of("data"), self.scratch / SUBSET)

    def small_artifact(self, artifact: Artifact) -> Path:
        """An artifact of the data run with the first users and rows."""
        return artifact_of(self.small, artifact)

    def _link(self, folder: Path) -> None:
        """Links the run and everything it was made from into the temporary folder."""
        for one in folders(folder):
            link = self.scratch / one.name
            if not link.exists():
                link.symlink_to(one.absolute(), target_is_directory=True)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """The value of ``make``, computed once for all checks, or the reason why there is none."""
        if key not in self._cache:
            try:
                self._cache[key] = make()
            except Unavailable as reason:
                self._cache[key] = reason
        value = self._cache[key]
        if isinstance(value, Unavailable):
            raise value
        return value

    # -- data ----------------------------------------------------------------------------------------------------

    @cached_property
    def profile(self) -> dict[str, Any]:
        profile: dict[str, Any] = json.loads(self.artifact(PROFILE).read_text(encoding="utf-8"))
        return profile

    @cached_property
    def sequences(self) -> Sequences:
        return Sequences.load(self.artifact(SEQUENCES))

    @cached_property
    def rows(self) -> dict[str, Rows]:
        """Held-out rows by split. The doctor may read test rows: it trains and selects nothing."""
        return {"validation": Rows.load(self.artifact(VALIDATION)), "test": Rows.load(self.artifact(TEST))}

    def hides_seen(self, setting: str) -> bool:
        """What ``auto``, ``true`` or ``false`` means for these data."""
        return hides_seen(setting, validation_share(self.profile, self.artifact(VALIDATION)))

    @cached_property
    def titles(self) -> list[str]:
        """Title of every item id; the padding's is ''."""
        return catalogue.titles(self.artifact(ITEMS))

    def table(self, artifact: Artifact, columns: list[str]) -> dict[str, NDArray[Any]]:
        """Columns of a Parquet artifact."""
        table = pq.read_table(self.artifact(artifact), columns=columns)
        return {name: table[name].to_numpy() for name in columns}

    @property
    def items(self) -> int:
        return int(self.profile["items"])

    def titled(self, items: NDArray[Any] | list[int]) -> str:
        """Titles of item ids, for evidence."""
        known = range(1, len(self.titles))
        return " | ".join(self.titles[item] if item in known else f"id {item}" for item in map(int, items))


def artifact_of(folder: Path, artifact: Artifact) -> Path:
    path = folder / ARTIFACTS / artifact.file
    if not path.exists():
        raise Unavailable(f"{artifact.stage} wrote no {artifact.file}")
    return path
