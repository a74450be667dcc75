"""Finished runs that settings name by their ids: inputs of a plan that it does not make."""

from dataclasses import dataclass
from pathlib import Path

from engine.config import Config
from engine.errors import RunError
from engine.experiments.rules import rule
from engine.jobs.state import State
from engine.jobs.store import Store
from engine.runs.schema import RunInfo
from engine.stages import DISTILLED_MODEL, ITEMS, SEQUENCES, STUDENT_MODEL, Stage


@dataclass(frozen=True)
class Demand:
    """What a run has to be that a setting names."""

    setting: str
    stages: tuple[str, ...]
    lacks: str  # of a run of another stage
    remedy: str
    same_data: bool = False  # made from the data of the plan


DEMANDS = {  # first word of the name among the inputs -> what is demanded of the run
    "model": Demand(
        "knowledge.models",
        (STUDENT_MODEL.stage, DISTILLED_MODEL.stage),
        "has no student model",
        "Name teacher, student, or whole ids of finished student or distill runs: engine runs lists them.",
        same_data=True,
    ),
    "known": Demand(
        "data.known", (ITEMS.stage,), "has no ids", "Name the whole id of a finished data run: engine runs data."
    ),
    "init_from": Demand(
        "student.init_from",
        (STUDENT_MODEL.stage,),
        "has no weights of a student",
        "Name the whole id of a finished student run: engine runs student.",
    ),
}


def named_runs(stage: Stage, config: Config) -> dict[str, str]:
    """Name among the inputs -> id, of the runs that the settings of a stage name (``named`` of its planning.py)."""
    own = rule(stage, "named")
    return own(config) if own else {}


def checked(runs: dict[str, str], root: Path, data: str | None) -> dict[str, str]:
    """Name among the inputs -> fingerprint. ``data`` is that of the data run which models must be made from too.

    RunError for a run that is not there, not finished, of another stage, or made from other data.
    """
    store, found = Store(root), {}
    for name, run in runs.items():
        demand = DEMANDS[name.partition(" ")[0]]
        location, remedy = f"{demand.setting}: {run}", demand.remedy
        if not (root / run / "run.json").is_file():
            raise RunError(f"there is no such run below {root}", location=location, remedy=remedy)
        entry = store.entry(root / run)
        if entry.info.stage not in demand.stages:
            raise RunError(f"a {entry.info.stage} run {demand.lacks}", location=location, remedy=remedy)
        if entry.state is not State.DONE:
            raise RunError(f"it is {entry.state}, not finished", location=location, remedy=remedy)
        found[name] = entry.info.fingerprint
        if not demand.same_data:
            continue
        made_from = root / entry.info.inputs.get(SEQUENCES.stage, "")
        if not (made_from / "run.json").is_file():
            raise RunError(
                f"its data run {made_from.name} is gone, so nothing says whether it is about the same data",
                location=location,
                remedy="Name a run whose data run is still there.",
            )
        known = RunInfo.read(made_from).fingerprint
        if known != data:
            raise RunError(
                f"it was made from other data (fingerprint {known}, here {data})",
                location=location,
                remedy="Name runs made from the same data section and files: engine compare shows what differs.",
            )
    return found
