"""A small process for each run that outlives its starter: waits for inputs and a slot, runs the stage, records its end.

    python -m engine.jobs.supervisor FOLDER   as engine.jobs.starter calls it (-- COMMAND ... runs another command)

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
from engine.jobs.device_log import DeviceRecorder
from engine.jobs.environment import stage_environment
from engine.jobs.oom import oom_kills
from engine.jobs.queue import QueueEntry
from engine.jobs.stage_process import SIGNALS, StageProcess, memory_to_prepare
from engine.jobs.state import QUEUED, RUNNING, WAITING, State, signal_name, status
from engine.runs import schema
from engine.runs.identity import Identity
from engine.runs.schema import Exit, Process, RunInfo

PATIENCE = 60.0  # seconds for the process that submitted a Slurm job to release the lock
POLL = 0.2  # seconds between two checks of inputs, slots and requests
STRAYS = 5.0  # seconds to end processes that the stage left running
REASON = 600  # characters of a reason
PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    """Executes one attempt: ``take`` locks the folder or refuses, ``work`` does the rest."""

    def __init__(self, folder: Path, argv: Sequence[str], grace: float | None) -> None:
        self.folder = folder
        self.own = not argv  # a stage of this program, which can be prepared
        self.argv = list(argv) or [sys.executable, "-m", "engine", "stage", str(folder)]
        self.info = RunInfo.read(folder)
        self.grace = self.info.grace if grace is None else grace
        self.request = ""  # stop or kill, once a person requested it
        self.overdue = False  # the grace is over
        self.process: StageProcess | None = None
        self.stage = 0  # pid and process group, once it has begun
        self._look = 0.0  # time.monotonic() of the next look at the queue
        self.started = time.time()
        self.max_rss = 0
        self.me = Identity.of(os.getpid())

    def take(self, patience: float = 0.0) -> None:
        """Lock the folder, install signal handlers, record this attempt. ``patience``: seconds to wait for the lock."""
        self.lock = schema.take_lock(self.folder, patience)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM):
            signal.signal(number, self._on_signal)
        self.attempt = schema.next_attempt(self.folder)
        ending.reserve(self.folder)
        slots = self.info.slots
        self.entry = QueueEntry(self.folder.parent, self.info.id, slots) if slots else None
        self._record(WAITING)
        schema.begin_attempt(self.folder, self.attempt)

    def work(self) -> None:
        """Wait for inputs and a slot, run the stage, record how it ended."""
        reason = self._await_inputs()
        slot = None if reason else self._await_slot()
        if reason or self.request:
            if self.process is not None:
                self.process.discard()
            self._end(*(("inputs", reason) if reason else ("user", "stopped before it began")))
            return
        kills = oom_kills()
        self._start(slot)
        devices = DeviceRecorder(self.folder)
        devices.start()
        wait_status, usage = self._await_stage()
        devices.stop()
        self._collect_strays()
        exit_code = os.waitstatus_to_exitcode(wait_status)
        code, number = (exit_code, None) if exit_code >= 0 else (None, -exit_code)
        if number is not None and (recorded := ending.recorded(self.folder, self.attempt)) is not None:
            # a library that crashes while the interpreter shuts down takes nothing back
            print(f"The stage had recorded its end before {signal_name(number)} ended its process.", file=sys.stderr)
            code, number = recorded, None
        self.max_rss = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        requested = ending.why_stopped(code, number, self.request, self.grace) if self.request else ""
        more_kills = oom_kills()
        oom = number == signal.SIGKILL and not requested and None not in (kills, more_kills) and kills != more_kills
        reason = requested or ending.why_ended(self.folder, self.attempt, code, number, self.max_rss if oom else None)
        self._end("user" if self.request else "self", reason, code, number, oom)

    # -- before the stage ----------------------------------------------------------------------------------------

    def _await_inputs(self) -> str:
        """Wait until every input run is DONE; the reason when that has become impossible, else nothing."""
        left = dict(self.info.inputs)
        while left and not self._requested():
            running = True
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
                else:
                    running &= now.state is State.RUNNING
            if left:
                if running:
                    self._prepare()
                time.sleep(POLL)
        return ""

    def _await_slot(self) -> int | None:
        """Wait in the queue for a slot of the device; the descriptor that locks it."""
        if self._requested() or self.entry is None:
            return None
        self._record(QUEUED)
        while not self._requested():
            slot = self.entry.take()
            if slot is not None:
                self.entry.leave()
                self.entry = None
                return slot
            self._prepare()
            time.sleep(POLL)
        return None

    def _requested(self) -> bool:
        """Whether a person requested the end, by a signal or, from another machine, by a file."""
        if not self.request and (self.folder / schema.CONTROL / schema.STOP).exists():
            self.request = "stop"
        return bool(self.request)

    # -- the stage -----------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Let the stage import its libraries meanwhile, when this run is among the next to work and memory allows."""
        if self.process is not None or not self.own or self.entry is None or time.monotonic() < self._look:
            return
        line = self.entry.line()
        self._look = time.monotonic() + POLL * len(line)  # every run in a long line looks, and reads all of it
        if self.info.id in line[: self.entry.count] and memory_to_prepare():
            self.process = StageProcess(self.argv, self.info.cwd, self.lock, prepared=True)

    def _start(self, slot: int | None) -> None:
        """Begin the stage in a process group of its own, once it has been recorded."""
        if self.process is None or self.process.ended():
            self.process = StageProcess(self.argv, self.info.cwd, self.lock, prepared=False)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self.stage = self.process.pid
        self.started = time.time()
        self._record(RUNNING, Identity.of(self.stage))
        self.process.begin(slot)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _await_stage(self) -> tuple[int, resource.struct_rusage]:
        if self.request and not self._armed():  # requested before the stage's process group existed
            self._signal_stage()
        while True:
            pid, status, usage = os.wait4(-1, 0)
            if pid == self.stage:
                return status, usage

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGALRM:
            self.overdue = True
        elif number == signal.SIGUSR1:
            self.request = "kill"
        else:
            self.request = self.request or "stop"
        if self.stage:
            self._signal_stage()

    def _signal_stage(self) -> None:
        """Pass the request on to the stage's process group."""
        at_once = self.overdue or self.request == "kill"
        with suppress(ProcessLookupError):
            os.killpg(self.stage, signal.SIGKILL if at_once else signal.SIGTERM)
        if not at_once and not self._armed():
            signal.setitimer(signal.ITIMER_REAL, self.grace)

    def _armed(self) -> bool:
        return signal.getitimer(signal.ITIMER_REAL)[0] > 0

    def _collect_strays(self) -> None:
        """End processes that the stage left running: its group, and orphans that this process adopted."""
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
        wall = round(max(now - self.started, 0.0), 3) if self.stage else 0.0
        if self.entry is not None:
            self.entry.leave()
        end = Exit(self.attempt, code, number, by, reason[:REASON], wall, self.max_rss, oom, now)
        ending.record(self.folder, end)


def _children() -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def main(arguments: Sequence[str]) -> int:
    """``FOLDER [--ready=FD] [--grace=SECONDS] [--stay] [-- COMMAND ...]``; continues in a fork without ``--stay``."""
    split = arguments.index("--") if "--" in arguments else len(arguments)
    folder, *flags = arguments[:split]
    options = dict(flag.removeprefix("--").partition("=")[::2] for flag in flags)
    ready = int(options.get("ready", 0))
    if "stay" in options:
        os.environ.update(stage_environment(os.environ))  # of the machine that computes
    elif os.fork():
        os._exit(0)  # the fork leads no session and is no child of the starter
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a thread that started this may have blocked some
    if sys.platform == "linux":
        # This process adopts orphans of the stage, and ends them.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    answer: dict[str, str] = {}
    refusal = ""
    try:
        supervisor = Supervisor(
            Path(folder).absolute(), arguments[split + 1 :], float(options["grace"]) if "grace" in options else None
        )
        supervisor.take(PATIENCE if "stay" in options else 0.0)  # Slurm may start it before its submitter is done
    except UserError as error:
        answer = {"cause": error.cause, "location": error.location, "remedy": error.remedy}
        refusal = str(error)
    if ready:
        with suppress(BrokenPipeError):  # its starter may be gone; the run continues
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
