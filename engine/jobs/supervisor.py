"""One small process a run that outlives its starter: waits for inputs and a slot, runs the stage, records its end.

    python -m engine.jobs.supervisor FOLDER   as engine.jobs.starter has it (add -- COMMAND ... to run another command)

The supervisor and the stage share the folder's lock and the slot, so both stay taken while either lives. SIGTERM asks
the stage's process group to end and kills it after a grace; SIGUSR1 kills it at once; SIGHUP is ignored.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from engine.errors import RunError, UserError
from engine.jobs import ending
from engine.jobs.environment import stage_environment
from engine.jobs.oom import oom_kills
from engine.jobs.queue import QueueEntry
from engine.jobs.state import QUEUED, RUNNING, WAITING, State, status
from engine.runs import schema
from engine.runs.identity import Identity
from engine.runs.schema import Exit, Process, RunInfo

PATIENCE = 60.0  # seconds for the one who handed a job to Slurm to let go of its lock
LOOK = 0.2  # seconds between two looks at inputs, slots and requests
STRAYS = 5.0  # seconds to collect what the stage left running
REASON = 600  # characters of a reason
PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    """The life of one attempt. ``hold`` comes first; it refuses a run that is taken."""

    def __init__(self, folder: Path, argv: Sequence[str], grace: float | None) -> None:
        self.folder = folder
        self.argv = list(argv) or [sys.executable, "-m", "engine", "stage", str(folder)]
        self.info = RunInfo.read(folder)
        self.grace = self.info.grace if grace is None else grace
        self.asked = ""  # stop or kill, as soon as a person wants it
        self.overdue = False  # the grace is over
        self.stage = 0  # pid and process group
        self.started = time.time()
        self.max_rss = 0
        self.me = Identity.of(os.getpid())

    def take(self, patience: float = 0.0) -> None:
        """Take the folder, listen to signals, and record this attempt. ``patience``: seconds to wait for its lock."""
        self.lock = schema.take_lock(self.folder, patience)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM):
            signal.signal(number, self._on_signal)
        self.attempt = schema.next_attempt(self.folder)
        ending.reserve(self.folder)
        slots = self.info.slots
        self.ticket = QueueEntry(self.folder.parent, self.info.id, slots) if slots else None
        self._record(WAITING)
        schema.archive_exit(self.folder)
        if self.attempt > 1:
            schema.withdraw_requests(self.folder)

    def work(self) -> None:
        """Wait for inputs and a slot, run the stage, record how it ended."""
        reason = self._await_inputs()
        if reason:
            self._end("inputs", reason)
            return
        slot = self._await_slot()
        if self.asked:
            self._end("user", "stopped before it began")
            return
        kills = oom_kills()
        self._start(slot)
        status, usage = self._await_stage()
        self._collect_strays()
        status_code = os.waitstatus_to_exitcode(status)
        code, number = (status_code, None) if status_code >= 0 else (None, -status_code)
        self.max_rss = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        asked = ending.why_stopped(code, number, self.asked, self.grace) if self.asked else ""
        more_kills = oom_kills()
        oom = number == signal.SIGKILL and not asked and None not in (kills, more_kills) and kills != more_kills
        reason = asked or ending.why_ended(self.folder, self.attempt, code, number, self.max_rss if oom else None)
        self._end("user" if self.asked else "self", reason, code, number, oom)

    # -- before the stage ----------------------------------------------------------------------------------------

    def _await_inputs(self) -> str:
        """Wait until every input run is DONE; why that cannot happen any more, or nothing."""
        left = dict(self.info.inputs)
        while left and not self._wanted():
            for stage, run in list(left.items()):
                folder = self.folder.parent / run
                try:
                    now = status(folder, RunInfo.read(folder))
                except RunError as error:
                    return f"needs {run}: {error.cause}"
                if now.state is State.DONE:
                    del left[stage]
                elif not now.state.living:
                    return f"needs {run}, which is {now.state}" + (f": {now.reason}" if now.reason else "")
            if left:
                time.sleep(LOOK)
        return ""

    def _await_slot(self) -> int | None:
        """Wait for this run's turn and a free slot of its device; a descriptor that holds it."""
        if self._wanted() or self.ticket is None:
            return None
        self._record(QUEUED)
        while not self._wanted():
            slot = self.ticket.take()
            if slot is not None:
                self.ticket.leave()
                self.ticket = None
                return slot
            time.sleep(LOOK)
        return None

    def _wanted(self) -> bool:
        """Whether a person wants it to end, by a signal or, from another machine, by a file."""
        if not self.asked and (self.folder / schema.CONTROL / schema.STOP).exists():
            self.asked = "stop"
        return bool(self.asked)

    # -- the stage -----------------------------------------------------------------------------------------------

    def _start(self, slot: int | None) -> None:
        """Fork the stage into a process group of its own; it begins only after it has been recorded."""
        go, give = os.pipe()
        signals = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM, signal.SIGPIPE)
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        self.stage = os.fork()
        if self.stage == 0:
            os.close(give)
            self._become_stage(go, slot, signals)
        os.close(go)
        with suppress(PermissionError):  # it has done so itself and is on
            os.setpgid(self.stage, self.stage)
        self.started = time.time()
        self._record(RUNNING, Identity.of(self.stage))
        with suppress(BrokenPipeError):  # somebody has killed it before it began; waiting for it will tell
            os.write(give, b"!")
        os.close(give)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)

    def _become_stage(self, go: int, slot: int | None, signals: Sequence[signal.Signals]) -> None:
        os.setpgid(0, 0)
        for number in signals:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        if not os.read(go, 1):
            os._exit(1)  # the supervisor died before it could record this process
        for handle in (self.lock, slot):
            if handle is not None:
                os.set_inheritable(handle, True)
        try:
            if os.path.isdir(self.info.cwd):
                os.chdir(self.info.cwd)
            os.execvp(self.argv[0], self.argv)
        except OSError as error:
            os.write(2, f"{self.argv[0]}: {error.strerror}\n".encode())
            os._exit(127)

    def _await_stage(self) -> tuple[int, resource.struct_rusage]:
        if self.asked and not self._armed():  # asked before there was a group to tell
            self._pass_on()
        while True:
            pid, status, usage = os.wait4(-1, 0)
            if pid == self.stage:
                return status, usage

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGALRM:
            self.overdue = True
        elif number == signal.SIGUSR1:
            self.asked = "kill"
        else:
            self.asked = self.asked or "stop"
        if self.stage:
            self._pass_on()

    def _pass_on(self) -> None:
        """Tell the stage's whole group what a person wants."""
        at_once = self.overdue or self.asked == "kill"
        with suppress(ProcessLookupError):
            os.killpg(self.stage, signal.SIGKILL if at_once else signal.SIGTERM)
        if not at_once and not self._armed():
            signal.setitimer(signal.ITIMER_REAL, self.grace)

    def _armed(self) -> bool:
        return signal.getitimer(signal.ITIMER_REAL)[0] > 0

    def _collect_strays(self) -> None:
        """End what the stage left running: its group, and orphans that fell to this process."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.stage, signal.SIGKILL)
        deadline = time.monotonic() + STRAYS
        while time.monotonic() < deadline:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                for stray in _children():
                    with suppress(ProcessLookupError):
                        os.kill(stray, signal.SIGKILL)
                time.sleep(0.01)

    # -- records -------------------------------------------------------------------------------------------------

    def _record(self, phase: str, stage: Identity | None = None) -> None:
        Process(self.attempt, self.me, phase, time.time(), stage, self.argv).write(self.folder)

    def _end(self, by: str, reason: str, code: int | None = None, number: int | None = None, oom: bool = False) -> None:
        now = time.time()
        wall = round(now - self.started, 3) if self.stage else 0.0
        if self.ticket is not None:
            self.ticket.leave()
        end = Exit(self.attempt, code, number, by, reason[:REASON], wall, self.max_rss, oom, now)
        ending.record(self.folder, end)


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def main(words: Sequence[str]) -> int:
    """``FOLDER [--ready=FD] [--grace=SECONDS] [--stay] [-- COMMAND ...]``; works on in a fork unless told to stay."""
    split = words.index("--") if "--" in words else len(words)
    folder, *flags = words[:split]
    options = dict(flag.removeprefix("--").partition("=")[::2] for flag in flags)
    ready = int(options.get("ready", 0))
    if "stay" in options:
        os.environ.update(stage_environment(os.environ))  # of the machine that computes
    elif os.fork():
        os._exit(0)  # not the leader of its session any more, and nobody's child
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a thread that started this may have blocked some
    if sys.platform == "linux":
        # Orphans of the stage fall to this process, which ends them.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    answer: dict[str, str] = {}
    refusal = ""
    try:
        supervisor = Supervisor(
            Path(folder).absolute(), words[split + 1 :], float(options["grace"]) if "grace" in options else None
        )
        supervisor.take(PATIENCE if "stay" in options else 0.0)  # Slurm may be faster than who submitted
    except UserError as error:
        answer = {"cause": error.cause, "place": error.location, "remedy": error.remedy}
        refusal = str(error)
    if ready:
        with suppress(BrokenPipeError):  # whoever started it may be gone; the run goes on
            os.write(ready, json.dumps(answer).encode())
        os.close(ready)
    elif answer:
        print(refusal, file=sys.stderr)
    if answer:
        return 2
    supervisor.work()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
