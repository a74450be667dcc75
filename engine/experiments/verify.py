"""A result that was measured before, run again: does it lie inside its band, and if not, what is different now?

The bands of the named experiments are declared in ``conf/experiment/_results.yaml``. The band of an evaluation that is
named by its id is the 95 % interval over its rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import config as configuration
from engine.config import Config, compose
from engine.config.settings.tree import unknown
from engine.errors import UserError
from engine.jobs.state import State
from engine.jobs.store import Entry
from engine.report.evaluation import Row, ends, read
from engine.report.settings import settings_of
from engine.runs.lineage import folders
from engine.runs.schema import CONFIG, RunInfo
from engine.stages import METRICS_TABLE, STAGES, makes

FILE = "_results.yaml"
METRICS = ("ndcg@10", "hr@10", "mrr")  # of an evaluation that is named by its id
ASIDE = ("launcher.", "health.", "search.")  # settings that no figure depends on


@dataclass(frozen=True)
class ExpectedFigure:
    """A figure as it was measured, and between which values it counts as the same."""

    model: str
    metric: str
    measured: float
    low: float
    high: float


@dataclass(frozen=True)
class Made:
    """What figures were made with; empty where it was not recorded."""

    targets: str = ""  # hash of the test targets
    stages: Mapping[str, int] = field(default_factory=dict)  # their versions
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)  # Python, packages, machine, threads
    device: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """Figures that are to come out again, and how to run them."""

    name: str
    overrides: list[str]
    label: str
    config: Config
    bands: list[ExpectedFigure]
    made: Made


@dataclass(frozen=True)
class Checked:
    """A figure of the new run beside its band; ``value`` is None where the run has none."""

    model: str
    metric: str
    measured: float
    low: float
    high: float
    value: float | None

    @property
    def inside(self) -> bool:
        return self.value is not None and self.low <= self.value <= self.high


@dataclass(frozen=True)
class Change:
    """Something that is not as it was when the figures were measured."""

    what: str
    before: Any
    now: Any


def declared() -> dict[str, Any]:
    """Experiment -> its settings, figures and what they were made with, as the file states them."""
    import yaml

    found: dict[str, Any] = yaml.safe_load((compose.folder() / "experiment" / FILE).read_text(encoding="utf-8"))
    return found


def of_experiment(name: str, overrides: Sequence[str]) -> Claim:
    """A declared experiment. ConfigError for one without declared figures."""
    every = declared()
    if name not in every:
        raise unknown(f"'{name}' has no declared figures and is no run", name, list(every), list(every))
    own = every[name]
    words = [f"experiment={name}", *own["settings"], *overrides]
    bands = [
        ExpectedFigure(model, metric, *map(float, values))
        for model, metrics in own["figures"].items()
        for metric, values in metrics.items()
    ]
    return Claim(name, words, name, configuration.load(words), bands, Made(**own.get("made", {})))


def of_run(entry: Entry) -> Claim:
    """A finished evaluation. UserError for any other run."""
    if not makes(entry.info.stage, METRICS_TABLE) or entry.state is not State.DONE:
        raise UserError(
            f"{entry.id} is a {entry.info.stage} run, {entry.state.value}",
            location="engine verify",
            remedy="Name a finished evaluation (engine runs evaluate DONE) or an experiment.",
        )
    bands = [
        ExpectedFigure(row["model"], metric, float(row[metric]), *ends(row, metric))
        for row in _tested(entry.folder)
        for metric in METRICS
    ]
    overrides = [word for word in entry.info.argv[2:] if "=" in word]
    config = configuration.read(entry.folder / CONFIG)
    return Claim(entry.id, overrides, entry.info.experiment, config, bands, made_of(entry.folder))


def checked(claim: Claim, folder: Path) -> list[Checked]:
    """The figures of the finished evaluation at ``folder`` beside the bands."""
    rows = {row["model"]: row for row in _tested(folder)}
    return [
        Checked(
            *(band.model, band.metric, band.measured, band.low, band.high),
            float(rows[band.model][band.metric]) if band.model in rows else None,
        )
        for band in claim.bands
    ]


def made_of(folder: Path) -> Made:
    """What the finished evaluation at ``folder`` was made with; versions of stages are those of this program."""
    infos = {info.stage: info for info in map(RunInfo.read, folders(folder))}
    settings = settings_of(folder)
    return Made(
        targets=_tested(folder)[0]["targets_hash"],
        fingerprints={stage: info.fingerprint for stage, info in infos.items()},
        environment=infos[RunInfo.read(folder).stage].environment,
        device=settings["trainer.accelerator"],
        settings={name: value for name, value in settings.items() if not name.startswith(ASIDE)},
    )


def changes(before: Made, folder: Path) -> list[Change]:
    """What is different at ``folder``, of what was recorded before."""
    now = made_of(folder)
    found = [Change("test targets", before.targets, now.targets)] if before.targets else []
    found += [Change(f"version of {stage}", version, STAGES[stage].version) for stage, version in before.stages.items()]
    found += [Change(name, value, now.environment.get(name)) for name, value in before.environment.items()]
    found += [Change("device", before.device, now.device)] if before.device else []
    found += [
        Change(name, before.settings.get(name), now.settings.get(name))
        for name in dict.fromkeys([*before.settings, *now.settings])
        if before.settings
    ]
    found = [one for one in found if not _equal(one)]
    return found + [
        Change(f"fingerprint of {stage} (settings, version, files or inputs)", value, now.fingerprints.get(stage))
        for stage, value in before.fingerprints.items()
        if value != now.fingerprints.get(stage)
    ]


def _equal(one: Change) -> bool:
    """A version of a package may be written without its build: 2.13.0 is 2.13.0+cpu."""
    if isinstance(one.before, str) and isinstance(one.now, str) and "+" not in one.before:
        return one.before == one.now.partition("+")[0]
    return bool(one.before == one.now)


def _tested(folder: Path) -> list[Row]:
    """Test rows under the main protocol."""
    return [row for row in read(folder, METRICS_TABLE) if row["split"] == "test" and row["main"] == "true"]
