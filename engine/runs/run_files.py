"""The files of a run as its stage uses them: declared inputs, outputs and checkpoints."""

from contextlib import AbstractContextManager
from pathlib import Path

from engine.errors import RunError
from engine.runs import schema
from engine.runs.files import Replacing
from engine.runs.schema import RunInfo
from engine.stages import STAGES, Artifact, Stage


class RunFiles:
    """Opens and makes the files that the stage of the run at ``folder`` declared in engine/stages.py."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.info = RunInfo.read(self.folder)
        self.id = self.info.id
        if self.info.stage not in STAGES:
            raise RunError(
                f"there is no stage {self.info.stage!r}",
                location=str(folder),
                remedy=f"Stages are: {', '.join(STAGES)}.",
            )
        self.stage: Stage = STAGES[self.info.stage]

    def input(self, artifact: Artifact) -> Path:
        """The path of ``artifact``. RunError when the stage did not declare it or it does not exist."""
        path = self._find(artifact)
        if path is None:
            raise RunError(
                f"{self.stage.name} was planned without {artifact.stage}, but needs its {artifact.file}",
                location=self.id,
                remedy=f"Plan it with {artifact.stage}: engine run {self.stage.name} --again",
            )
        if not path.exists():
            raise RunError(
                f"{self.stage.name} needs {artifact.file} ({artifact.help}), which is not there",
                location=str(path),
                remedy=f"{artifact.stage} makes it: engine run {artifact.stage} --again",
            )
        return path

    def has(self, artifact: Artifact) -> bool:
        """Whether a declared input that may be missing exists."""
        path = self._find(artifact)
        return path is not None and path.exists()

    def _find(self, artifact: Artifact) -> Path | None:
        if artifact not in self.stage.needs:
            raise RunError(
                f"{self.stage.name} may not open {artifact.stage}'s {artifact.file}: it is not among its needs",
                location="engine/stages.py",
                remedy=f"Declare it in the needs of {self.stage.name}, if it really may see it.",
            )
        maker = self.info.inputs.get(artifact.stage)
        return self.folder.parent / maker / schema.ARTIFACTS / artifact.file if maker else None

    def output(self, artifact: Artifact) -> AbstractContextManager[Path]:
        """A scratch path, file or folder, that becomes the artifact when the block ends without an exception."""
        if artifact not in self.stage.makes:
            raise RunError(
                f"{self.stage.name} does not make {artifact.stage}'s {artifact.file}",
                location="engine/stages.py",
                remedy=f"Declare it in the makes of {self.stage.name}.",
            )
        return Replacing(self.folder / schema.ARTIFACTS / artifact.file)

    @property
    def checkpoints(self) -> Path:
        """The folder of this run's checkpoints; each one in it is whole."""
        return self.folder / schema.CHECKPOINTS

    def checkpoint(self, name: str) -> AbstractContextManager[Path]:
        """A scratch path that becomes ``checkpoints/<name>`` when the block ends without an exception."""
        return Replacing(self.checkpoints / name)

    def drop_checkpoint(self, name: str) -> None:
        """Delete ``checkpoints/<name>``, which newer ones replace."""
        (self.checkpoints / name).unlink()
