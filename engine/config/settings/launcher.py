"""How runs are started and how many may work at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting


@dataclass
class SlurmSettings:
    """Resources of a run's job; null: the cluster's default."""

    partition: str | None = setting("group of machines")
    account: str | None = setting("account that is charged")
    time: str | None = setting(
        "longest time of one attempt, as sbatch reads it: minutes, or days-hours:minutes:seconds"
    )
    memory: str | None = setting("memory of a job, as sbatch reads it, for example 32G")
    cpus: int = setting("processor cores of a job, for all processes of trainer.devices together", low=1)
    gpus: int = setting("GPUs of a job, as many as trainer.devices; none for the data stage", low=0)
    options: list[str] = setting("other options of sbatch, for example --constraint=h100")


@dataclass
class LauncherSettings:
    """Where the processes of a run are started."""

    kind: str = setting("what starts a run: this machine, or Slurm on one of its own", choices=("local", "slurm"))
    slots: int = setting("runs that may work at the same time on one device; the others wait in the queue", low=1)
    grace: float = setting("time that a stage is given to write its checkpoint when it is stopped", above=0, unit="s")
    slurm: SlurmSettings | None = setting("resources of a job")

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if (self.kind == "slurm") != (self.slurm is not None):
            yield "slurm", "belongs to launcher.kind=slurm: choose launcher=slurm or launcher=local as a whole"
