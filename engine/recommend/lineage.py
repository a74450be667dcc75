"""The runs whose models, titles and stored scores a recommender of a run uses."""

from pathlib import Path

from engine.errors import RunError
from engine.runs.lineage import folders
from engine.runs.schema import ARTIFACTS, RunInfo
from engine.stages import Artifact

RECOMMENDERS = ("student", "teacher", "knowledge", "distill", "evaluate")


def lineage(folder: Path) -> dict[str, Path]:
    """Stage -> folder, of this run and of all it was made from, the nearest of each stage.

    Runs that are gone are left out. RunError where none of them has a model.
    """
    found: dict[str, Path] = {}
    for one in folders(folder, named=False):
        found.setdefault(RunInfo.read(one).stage, one)
    if not found.keys() & set(RECOMMENDERS):
        raise RunError(
            f"a {RunInfo.read(folder).stage} run has no recommender",
            location=folder.name,
            remedy="Name a student, teacher, knowledge, distill or evaluate run: engine runs lists them.",
        )
    return found


def made(runs: dict[str, Path], artifact: Artifact) -> Path:
    """Where an artifact of this lineage lies. RunError when it is not there."""
    folder = runs.get(artifact.stage)
    if folder is None:
        raise RunError(
            f"no {artifact.stage} run stands behind this one", remedy=f"Make one: engine run {artifact.stage}"
        )
    path = folder / ARTIFACTS / artifact.file
    if not path.exists():
        raise RunError(
            f"there is no {artifact.file}", location=str(path), remedy=f"Make it: engine run {artifact.stage} --again"
        )
    return path
