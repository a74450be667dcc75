"""How runs are started and how many may work at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting


@dataclass
class SlurmSettings:
    """What a run's job asks of the cluster; null leaves it to the cluster's default."""

    partition: str | None = setting("group of machines")
    account: str | None = setting("who pays")
    time: str | None = setting(
        "longest time of one attempt, as sbatch reads it: minutes, or days-hours:minutes:seconds"
    )
    memory: str | None = setting("memory of a job, as sbatch reads it, for example 32G")
    cpus: int = setting("processor cores of a job", low=1)
    gpus: int = setting("accelerators of a job; the data stage asks for none", low=0)
    options: list[str] = setting("any other words for sbatch, for example --constraint=h100")


@dataclass
class LauncherSettings:
    """Where the processes of a run are started."""

    kind: str = setting("what starts a run: this machine, or Slurm on one of its own", choices=("local", "slurm"))
    slots: int = setting("runs that may work at the same time on one device; the others wait in the queue", low=1)
    grace: float = setting("time a stage has to write its checkpoint when it is asked to stop", above=0, unit="s")
    slurm: SlurmSettings | None = setting("what a job asks of the cluster")

    def check(self) -> Iterator[tuple[str, str]]:
        """What a single limit cannot say."""
        if (self.kind == "slurm") != (self.slurm is not None):
            yield "slurm", "belongs to launcher.kind=slurm: choose launcher=slurm or launcher=local as a whole"
