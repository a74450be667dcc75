"""The process of a stage: forked by the supervisor and held at a gate until it has been recorded.

The gate is a socket pair: one byte lets the process begin, the descriptor of its slot comes with it, and an end of
file means that the supervisor is gone. A process that is prepared executes its program at once, imports the stage's
libraries and waits at the gate only then (``pass_gate``); any other command waits before it is executed.
"""

import os
import signal
import socket
from contextlib import suppress

PREPARED_MEMORY = 2 * 2**30  # bytes that must be available before a process is prepared; one takes about 0.5 GB
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM, signal.SIGPIPE)
MEMORY = "/proc/meminfo"


class StageProcess:
    """A forked stage in a process group of its own. ``lock``: the run's lock, which it shares."""

    def __init__(self, argv: list[str], cwd: str, lock: int, prepared: bool) -> None:
        """``prepared``: ``argv`` is a stage of this program, which takes ``--gate``."""
        ours, theirs = socket.socketpair()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _become_stage(theirs, argv, cwd, lock, prepared)
        theirs.close()
        self._gate = ours
        with suppress(PermissionError):  # the child has done so itself and runs the stage already
            os.setpgid(self.pid, self.pid)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def begin(self, slot: int | None) -> None:
        """Open the gate, and hand over the descriptor that locks the slot."""
        with suppress(BrokenPipeError), self._gate:  # it was killed before it began, which wait4 reports
            socket.send_fds(self._gate, [b"!"], [] if slot is None else [slot])

    def ended(self) -> bool:
        """Whether the process has ended by itself; it is collected then."""
        return os.waitpid(self.pid, os.WNOHANG)[0] != 0

    def discard(self) -> None:
        """End and collect a process that is not going to begin."""
        self._gate.close()
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def pass_gate(gate: int) -> bool:
    """In the stage: wait until it may begin. False when the supervisor has died before it could record this process."""
    with socket.socket(fileno=gate) as end:
        byte, slots, _, _ = socket.recv_fds(end, 1, 1)
    for slot in slots:  # stays open, and so locked, as long as this process or one that it executes lives
        os.set_inheritable(slot, True)
    return bool(byte)


def memory_to_prepare() -> bool:
    """Whether this machine has memory for a process that only waits; never where Linux does not report it."""
    with suppress(OSError), open(MEMORY) as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 >= PREPARED_MEMORY
    return False


def _become_stage(gate: socket.socket, argv: list[str], cwd: str, lock: int, prepared: bool) -> None:
    """In the fork: wait at the gate, now or after the imports, and execute ``argv``. Does not return."""
    os.setpgid(0, 0)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.set_inheritable(lock, True)
    if prepared:
        handle = gate.detach()
        os.set_inheritable(handle, True)
        argv = [*argv, f"--gate={handle}"]
    elif not pass_gate(gate.detach()):
        os._exit(1)
    try:
        if os.path.isdir(cwd):
            os.chdir(cwd)
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
        os._exit(127)
