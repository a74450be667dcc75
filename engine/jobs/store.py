"""All runs below one folder: create, list, find, stop, resume and remove them.

``Store.create`` makes the folder, ``engine.jobs.starter.launch(folder)`` starts the run.
"""

import difflib
import os
import secrets
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.errors import RunError
from engine.jobs import ending
from engine.jobs.slurm import SlurmJob
from engine.jobs.starter import launch
from engine.jobs.state import QUEUED, WAITING, State, Status, status
from engine.runs import schema
from engine.runs.files import discard, hold, make_folder, refused, unreadable
from engine.runs.identity import Identity
from engine.runs.schema import Exit, Meta, Process, RunInfo, Summary

NEW, GONE = ".new-", ".gone-"  # prefixes of folders that are being created or removed
LEFT_OVER = 3600.0  # seconds after which such a folder counts as abandoned
PATIENCE = 60.0  # seconds to wait for another process that is planning


@dataclass
class Entry:
    """One run as it was when it was read. Its other records are read on first use."""

    folder: Path
    info: RunInfo
    status: Status

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def state(self) -> State:
        return self.status.state

    @cached_property
    def summary(self) -> Summary | None:
        return Summary.read(self.folder)

    @cached_property
    def end(self) -> Exit | None:
        return Exit.read(self.folder)

    @property
    def never_began(self) -> bool:
        """Whether it ended because a run that it needs did not end DONE."""
        return self.state is State.FAILED and self.end is not None and self.end.by == "inputs"

    @cached_property
    def meta(self) -> Meta:
        return Meta.read(self.folder)


class Store:
    """The runs below ``root``. ``unreadable``: folders of the last scan that are no complete run, and why."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root).absolute()
        self.unreadable: dict[str, str] = {}

    # -- create and find -----------------------------------------------------------------------------------------

    def create(self, info: RunInfo, config: str) -> Path:
        """The folder of a new run with its run.json and config.yaml; it appears whole or not at all."""
        folder, scratch = self.root / info.id, self.root / f"{NEW}{info.id}-{secrets.token_hex(4)}"
        try:
            scratch.mkdir(parents=True)
            (scratch / schema.CONFIG).write_text(config, encoding="utf-8")
            info.write(scratch)
            scratch.rename(folder)  # the kernel lets one of several processes have the name
        except OSError as error:
            discard(scratch)
            if folder.exists():
                raise RunError(
                    "there is a run of this name already", location=str(folder), remedy="Try again."
                ) from error
            raise refused(error, folder) from error
        return folder

    def _folders(self) -> list[Path]:
        try:
            with os.scandir(self.root) as found:
                return [Path(item.path) for item in found if not item.name.startswith(".") and item.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(error, self.root) from error

    def _infos(self) -> Iterator[tuple[Path, RunInfo]]:
        self.unreadable = {}
        for folder in self._folders():
            try:
                yield folder, RunInfo.read(folder)
            except RunError as error:
                self.unreadable[folder.name] = error.cause

    def entry(self, folder: Path) -> Entry:
        """The run at ``folder`` as it is now."""
        info = RunInfo.read(folder)
        return Entry(folder, info, status(folder, info))

    def scan(self) -> list[Entry]:
        """All runs, oldest first."""
        entries = [Entry(folder, info, status(folder, info)) for folder, info in self._infos()]
        return sorted(entries, key=lambda entry: (entry.info.created, entry.id))

    def find(self, name: str) -> Entry:
        """The run that ``name`` selects: an id, a unique part of one, or ``last``."""
        ids = sorted(folder.name for folder in self._folders())
        if name == "last" and ids:
            _, folder = max((info.created, folder) for folder, info in self._infos())
            return self.entry(folder)
        matching = [name] if name in ids else [known for known in ids if name and name in known]
        if len(matching) == 1:
            return self.entry(self.root / matching[0])
        if matching:
            some = ", ".join(matching[-5:]) + (" ..." if len(matching) > 5 else "")
            raise RunError(
                f"{name!r} may be any of {len(matching)} runs", location=str(self.root), remedy=f"Say which: {some}"
            )
        close = difflib.get_close_matches(name, [*ids, "last"], n=1, cutoff=0.5)
        hint = f"Did you mean {close[0]}? " if close else ""
        raise RunError(f"there is no run {name!r}", location=str(self.root), remedy=f"{hint}See all with: engine runs")

    @contextmanager
    def planning(self) -> Iterator[None]:
        """Hold the lock of planning: one process at a time decides what is run and what is reused."""
        make_folder(self.root)
        deadline = time.monotonic() + PATIENCE
        while (lock := hold(self.root / schema.PLANNING)) is None:
            if time.monotonic() > deadline:
                raise RunError(
                    f"another process has been planning runs here for {PATIENCE:.0f} s",
                    location=str(self.root / schema.PLANNING),
                    remedy="End that process, or choose another folder with --runs DIR.",
                )
            time.sleep(0.05)
        try:
            self._sweep()
            yield
        finally:
            os.close(lock)

    def _sweep(self) -> None:
        """Remove abandoned folders of creations and removals."""
        for prefix in (NEW, GONE):
            for folder in self.root.glob(f"{prefix}*"):
                if time.time() - folder.stat().st_mtime > LEFT_OVER:
                    discard(folder)

    # -- control -------------------------------------------------------------------------------------------------

    def stop(self, entry: Entry, when: str = "now") -> None:
        """Request that a run saves its work and ends: ``now`` or after the next ``evaluation``; ``kill`` saves nothing.

        Returns once requested, before the run has ended.
        """
        folder, process, job = entry.folder, Process.read(entry.folder), SlurmJob.read(entry.folder)
        if not entry.state.living:
            raise RunError(
                f"{entry.id} is not at work, it is {entry.state}", location=str(folder), remedy="See all: engine runs"
            )
        if job and job.attempt > (process.attempt if process else 0):
            job.withdraw()
            _end_before_it_began(folder, job)
            return
        if when == "evaluation" and not (process and process.phase in (WAITING, QUEUED)):
            _request(folder, schema.STOP_AFTER_EVALUATION)
            return
        # Unlike a signal, the file reaches a stage on another machine.
        _request(folder, schema.STOP)
        summary = Summary.read(folder)
        stage = process.stage if process else summary.process if summary else None
        if process and process.supervisor.alive:
            os.kill(process.supervisor.pid, signal.SIGUSR1 if when == "kill" else signal.SIGTERM)
        elif job and process and not process.supervisor.here:
            job.cancel(kill=when == "kill")
        elif stage and stage.alive:
            _signal_group(stage, signal.SIGKILL if when == "kill" else signal.SIGTERM)

    def resume(
        self, entry: Entry, argv: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """Begin another attempt of a run that did not end DONE, in the same folder."""
        now = status(entry.folder, entry.info)
        if now.state.living and not now.unstarted:
            raise schema.occupied(entry.folder)
        if now.state is State.DONE:
            raise RunError(
                f"{entry.id} is DONE: there is nothing to go on with",
                location=str(entry.folder),
                remedy=f"For another run with the same settings: engine run {entry.info.stage} --again",
            )
        launch(entry.folder, argv, environment)

    def refuse(self, folder: Path, reason: str) -> None:
        """Record that the run at ``folder`` could not be started, unless a supervisor has it after all."""
        with suppress(RunError, OSError):  # on a full disk it counts as lost a little later
            lock = hold(folder / schema.LOCK)
            if lock is None:
                return
            try:
                if status(folder, RunInfo.read(folder)).unstarted:
                    ending.reserve(folder)
                    ending.record(folder, Exit(1, None, None, "supervisor", reason, 0.0, 0, False, time.time()))
            finally:
                os.close(lock)

    def users_of(self, entry: Entry) -> list[str]:
        """Ids of the runs that open this one's artifacts."""
        return sorted(info.id for _, info in self._infos() if entry.id in info.inputs.values())

    def remove(self, entry: Entry, force: bool = False) -> None:
        """Remove a run for good. Not while it lives, and not while other runs need it unless ``force``."""
        lock = hold(entry.folder / schema.LOCK)
        if lock is None or status(entry.folder, entry.info).state.living:
            raise RunError(
                f"{entry.id} is at work", location=str(entry.folder), remedy=f"End it first: engine stop {entry.id}"
            )
        try:
            users = [] if force else self.users_of(entry)
            if users:
                raise RunError(
                    f"{entry.id} is needed by {', '.join(users)}",
                    location=str(entry.folder),
                    remedy=f"Remove those first, or all the same with: engine rm {entry.id} --force",
                )
            gone = entry.folder.with_name(f"{GONE}{entry.id}-{secrets.token_hex(4)}")
            os.utime(entry.folder)  # young again, so that no other process sweeps it meanwhile
            entry.folder.rename(gone)
            discard(gone)
        finally:
            os.close(lock)


def _end_before_it_began(folder: Path, job: SlurmJob) -> None:
    """Record the end of a job that was removed from the queue, unless it began in that moment."""
    lock = hold(folder / schema.LOCK)
    if lock is None:
        _request(folder, schema.STOP)
        return
    try:
        ending.reserve(folder)
        ending.record(
            folder, Exit(job.attempt, None, None, "user", "stopped before it began", 0.0, 0, False, time.time())
        )
    finally:
        os.close(lock)


def _request(folder: Path, what: str) -> None:
    control = folder / schema.CONTROL
    try:
        control.mkdir(exist_ok=True)
        (control / what).touch()
    except OSError as error:
        raise refused(error, control / what) from error


def _signal_group(stage: Identity, number: int) -> None:
    """Signal the stage's process group; only the stage where it was started by hand and shares the group of others."""
    if os.getpgid(stage.pid) == stage.pid:
        os.killpg(stage.pid, number)
    else:
        os.kill(stage.pid, number)
