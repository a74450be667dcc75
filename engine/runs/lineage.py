"""What a run was made from, at any distance: the one walk along the ``inputs`` of runs."""

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.runs.schema import RunInfo
from engine.stages import STAGES


def lineage(run: str, inputs: Callable[[str], Iterable[str] | None]) -> tuple[list[str], list[str]]:
    """Ids of the run and of everything it was made from, nearest first, each once; and ids of runs that are gone.

    ``inputs`` gives the ids that a run was made from directly, None where the run is gone.
    """
    found: dict[str, None] = {}
    gone: dict[str, None] = {}
    waiting = deque([run])
    while waiting:
        one = waiting.popleft()
        if one in found or one in gone:
            continue
        makers = inputs(one)
        if makers is None:
            gone[one] = None
        else:
            found[one] = None
            waiting += makers
    return list(found), list(gone)


def folders(folder: Path, named: bool = True) -> list[Path]:
    """Folders of the run and of everything it was made from that is still there, nearest first.

    Without ``named``, runs are left out that came in only because settings name them: other experiments' models.
    """

    def inputs(run: str) -> Iterable[str] | None:
        path = folder.parent / run
        if not path.is_dir():
            return None
        return [run for name, run in RunInfo.read(path).inputs.items() if named or name in STAGES]

    return [folder.parent / run for run in lineage(folder.name, inputs)[0]]
