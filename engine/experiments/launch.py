"""From a plan to runs at work: folders are made, and each gets its own supervisor, which waits for its inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine import config as configuration
from engine.config import Config
from engine.errors import ConfigError, UserError
from engine.experiments import provenance
from engine.experiments.named_runs import named_runs
from engine.experiments.plan import JOIN, NEW, RESUME, Step, inputs_of, plan, section
from engine.jobs.starter import launch, launch_array
from engine.jobs.store import Store
from engine.runs.schema import RunInfo, Slots, new_id
from engine.stages import STAGES

ARRAY = 1000  # tasks of an array of jobs: Slurm takes 1,001 unless MaxArraySize says otherwise


@dataclass(frozen=True)
class Request:
    """The arguments of ``engine run``, or of one combination of a sweep or search."""

    target: str
    overrides: Sequence[str]
    label: str  # the experiment that the runs belong to
    again: bool


def start(request: Request, config: Config, store: Store) -> list[Step]:
    """Plan under the store's lock, start whatever has to run, and return the steps with their run ids."""
    return start_together([(request, config)], store)[0]


def start_together(requests: Sequence[tuple[Request, Config]], store: Store) -> list[list[Step]]:
    """``start`` of several requests, whose runs may be jobs: those of one stage are then submitted together."""
    for _, config in requests:
        sbatch_options(config, computes=True)  # what cannot be submitted is refused before a run is made
    with store.planning():
        created: dict[str, RunInfo] = {}
        made = [_planned(request, config, store, created) for request, config in requests]
        steps = [step for own in made for step in own]
        order = list(STAGES)
        groups = _groups(sorted(steps, key=lambda step: order.index(step.stage.name)), created)
        for index, group in enumerate(groups):
            try:
                _launch(group, created, store)
            except BaseException as error:
                reason = error.cause if isinstance(error, UserError) else "its start was interrupted"
                for step in [step for left in groups[index:] for step in left]:
                    if step.action == NEW:
                        store.refuse(store.root / step.run, reason)
                raise
    return made


def _planned(request: Request, config: Config, store: Store, created: dict[str, RunInfo]) -> list[Step]:
    """The steps of a request, the folders of new runs made; ``created`` takes those in."""
    made: list[Step] = []
    for step in plan(request.target, config, store, request.again, starting=True):
        if step.run in created:
            step = replace(step, action=JOIN)  # made for an earlier request, and not at work yet
        elif step.action == NEW:
            info = _create(step, {other.stage.name: other.run for other in made}, request, config, store)
            created[info.id] = info
            step = replace(step, run=info.id)
        made.append(step)
    return made


def _groups(steps: Sequence[Step], created: Mapping[str, RunInfo]) -> list[list[Step]]:
    """Steps that start something, those that can be one array of jobs together, in the given order."""
    groups: dict[object, list[Step]] = {}
    for step in steps:
        if step.action == NEW and created[step.run].sbatch is not None:
            info = created[step.run]
            groups.setdefault((info.stage, *(info.sbatch or ()), info.grace), []).append(step)
        elif step.action in (NEW, RESUME):
            groups[step.run] = [step]
    return [group[k : k + ARRAY] for group in groups.values() for k in range(0, len(group), ARRAY)]


def _launch(group: Sequence[Step], created: Mapping[str, RunInfo], store: Store) -> None:
    if len(group) > 1:
        launch_array([(store.root / step.run, created[step.run]) for step in group])
    elif group[0].action == NEW:
        launch(store.root / group[0].run, info=created[group[0].run])
    else:
        store.resume(store.entry(store.root / group[0].run))


def sbatch_options(config: Config, computes: bool) -> list[str] | None:
    """Options of sbatch, None where no job is made; a stage that only prepares data asks for no GPU.

    A job is one task on one machine, which starts the processes of ``trainer.devices`` itself. ConfigError where these
    have fewer GPUs than they need.
    """
    slurm, trainer = config.launcher.slurm, config.trainer
    if slurm is None:
        return None
    if computes and trainer.accelerator != "cpu" and 0 < slurm.gpus < trainer.devices:
        raise ConfigError(
            f"{trainer.devices} processes need a GPU each, but their job has {slurm.gpus}",
            location="launcher.slurm.gpus",
            remedy=f"Set launcher.slurm.gpus={trainer.devices}, or trainer.devices={slurm.gpus}.",
        )
    named = {
        "partition": slurm.partition,
        "account": slurm.account,
        "time": slurm.time,
        "mem": slurm.memory,
        "nodes": 1 if computes and slurm.gpus > 1 else None,  # Slurm may take GPUs from several
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
        sbatch=sbatch_options(config, bool(step.stage.needs)),
    )
    store.create(info, configuration.dump(config))
    return info
