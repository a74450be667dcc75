"""Several folders of runs read as one."""

import time
from collections.abc import Callable

from cockpit.models.rows import Row
from cockpit.services.folders import Folders
from cockpit.services.others import OtherScanner
from cockpit.services.scan import Scanner


class Scanners:
    """The rows of all folders, by run id. A run that lies in two folders is shown once, as in the first of them."""

    def __init__(self, folders: Folders, clock: Callable[[], float] = time.time) -> None:
        self._folders = folders
        self._scanners: dict[str, Scanner | OtherScanner] = {
            name: Scanner(root, clock) for name, root in folders.named.items()
        }
        self._others = {name: OtherScanner(name, root, clock) for name, root in folders.also.items()}
        self._scanners |= self._others
        self.rows: dict[str, Row] = {}
        self.twice = 0  # runs that lie in two folders

    @property
    def complete(self) -> bool:
        """Whether every run of the first listings has been read."""
        return all(scanner.complete for scanner in self._scanners.values())

    @property
    def trouble(self) -> str:
        """Why a folder cannot be read, or what is left out."""
        first = next((scanner.trouble for scanner in self._scanners.values() if scanner.trouble), "")
        return first or (f"{self.twice} runs lie in two folders and are shown once" if self.twice else "")

    def poll(self, budget: float) -> bool:
        """Read for about ``budget`` seconds; returns whether any row changed."""
        changed = [scanner.poll(budget / len(self._scanners)) for scanner in self._scanners.values()]
        if any(changed):
            self._merge()
        return any(changed)

    def again(self, run: str) -> None:
        """Read a run at the next poll: it was just changed."""
        self._scanners[self._folders.where.get(run, next(iter(self._scanners)))].again(run)

    def list_again(self) -> None:
        """List the folders at the next poll."""
        for scanner in self._scanners.values():
            scanner.list_again()

    def _merge(self) -> None:
        """Take the rows of all folders, into the same dictionary, which others hold."""
        rows: dict[str, Row] = {}
        for name, scanner in reversed(self._scanners.items()):
            for run, row in scanner.rows.items():
                row.folder = name
                rows[run] = row
        self.twice = sum(len(scanner.rows) for scanner in self._scanners.values()) - len(rows)
        self._folders.others = {run: path for one in self._others.values() for run, path in one.folders.items()}
        self._folders.where = {run: row.folder for run, row in rows.items() if row.folder not in self._others}
        self.rows.clear()
        self.rows.update(rows)
