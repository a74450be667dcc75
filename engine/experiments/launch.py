"""From a plan to runs at work: folders are made, and each gets its own supervisor, which waits for its inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine import config as configuration
from engine.config import Config
from engine.config.settings.launcher import LauncherSettings
from engine.errors import UserError
from engine.experiments import provenance
from engine.experiments.named_runs import named_runs
from engine.experiments.plan import NEW, RESUME, Step, inputs_of, plan, section
from engine.jobs.starter import launch
from engine.jobs.store import Store
from engine.runs.schema import RunInfo, Slots, new_id


@dataclass(frozen=True)
class Request:
    """The arguments of ``engine run``, or of one combination of a sweep or search."""

    target: str
    overrides: Sequence[str]
    label: str  # the experiment that the runs belong to
    again: bool


def start(request: Request, config: Config, store: Store) -> list[Step]:
    """Plan under the store's lock, start whatever has to run, and return the steps with their run ids."""
    with store.planning():
        steps = plan(request.target, config, store, request.again, starting=True)
        made: list[Step] = []
        created: dict[str, RunInfo] = {}
        for step in steps:
            if step.action == NEW:
                info = _create(step, {other.stage.name: other.run for other in made}, request, config, store)
                created[info.id] = info
                step = replace(step, run=info.id)
            made.append(step)
        for index, step in enumerate(made):
            try:
                if step.action == NEW:
                    launch(store.root / step.run, info=created[step.run])
                elif step.action == RESUME:
                    store.resume(store.entry(store.root / step.run))
            except BaseException as error:
                reason = error.cause if isinstance(error, UserError) else "its start was interrupted"
                for left in made[index:]:
                    if left.action == NEW:
                        store.refuse(store.root / left.run, reason)
                raise
    return made


def sbatch_options(settings: LauncherSettings, computes: bool) -> list[str] | None:
    """Options of sbatch, None where no job is made; a stage that only prepares data asks for no GPU."""
    slurm = settings.slurm
    if slurm is None:
        return None
    named = {
        "partition": slurm.partition,
        "account": slurm.account,
        "time": slurm.time,
        "mem": slurm.memory,
        "cpus-per-task": slurm.cpus,
        "gpus": slurm.gpus if computes and slurm.gpus else None,
    }
    return [*(f"--{name}={value}" for name, value in named.items() if value is not None), *slurm.options]


def _create(step: Step, ids: Mapping[str, str], request: Request, config: Config, store: Store) -> RunInfo:
    stage = step.stage.name
    repository = Path(__file__).parent.parent.parent
    info = RunInfo(
        id=new_id(stage),
        stage=stage,
        experiment=request.label,
        seed=section(config, stage).get("seed", config.seed),
        fingerprint=step.fingerprint,
        inputs={name: ids[name] for name in inputs_of(step.stage, config)} | named_runs(step.stage, config),
        argv=["engine", "run", request.target, *request.overrides],
        git=provenance.git(repository),
        environment=provenance.versions(),
        slots=None if config.launcher.slurm else Slots(config.trainer.accelerator, config.launcher.slots),
        grace=config.launcher.grace,
        sbatch=sbatch_options(config.launcher, bool(step.stage.needs)),
    )
    store.create(info, configuration.dump(config))
    return info
