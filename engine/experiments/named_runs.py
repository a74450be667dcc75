"""Finished runs that settings name by their ids: inputs of a plan that it does not make."""

from pathlib import Path

from engine.config import Config
from engine.errors import RunError
from engine.experiments.rules import rule
from engine.jobs.state import State
from engine.jobs.store import Store
from engine.runs.schema import RunInfo
from engine.stages import DISTILLED_MODEL, SEQUENCES, STUDENT_MODEL, Stage

MODELS = (STUDENT_MODEL.stage, DISTILLED_MODEL.stage)
REMEDY = "Name teacher, student, or whole ids of finished student or distill runs: engine runs lists them."


def named_runs(stage: Stage, config: Config) -> dict[str, str]:
    """Name among the inputs -> id, of the runs that the settings of a stage name (``named`` of its planning.py)."""
    own = rule(stage, "named")
    return {f"model {number}": run for number, run in enumerate(own(config) if own else (), start=1)}


def checked(runs: dict[str, str], root: Path, data: str) -> dict[str, str]:
    """Name among the inputs -> fingerprint. ``data`` is that of the data run which these runs must be made from too.

    RunError for a run that is not there, not finished, no model, or made from other data.
    """
    store, found = Store(root), {}
    for name, run in runs.items():
        location = f"knowledge.models: {run}"
        if not (root / run / "run.json").is_file():
            raise RunError(f"there is no such run below {root}", location=location, remedy=REMEDY)
        entry = store.entry(root / run)
        if entry.info.stage not in MODELS:
            raise RunError(f"a {entry.info.stage} run has no student model", location=location, remedy=REMEDY)
        if entry.state is not State.DONE:
            raise RunError(f"it is {entry.state}, not finished", location=location, remedy=REMEDY)
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
        found[name] = entry.info.fingerprint
    return found
