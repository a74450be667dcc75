"""What a stage may do with its run: open inputs, make outputs and checkpoints, report, and ask whether to stop.

``with Run.open(folder) as run: stage.run(config, run)`` takes the folder (a second holder is refused), listens to
SIGTERM, and records how the work ended: done, stopped (``Stopped``) or failed. It lets every exception pass.
Outside of ``with`` a ``Run`` opens and writes files all the same, but listens to no signal and records no end.

Reports are the heartbeat. Each returns at once; lines that come faster than their kind's rate (events.py) are
thinned out, and the newest one that was held back is written before the next evaluation, checkpoint or end.
"""

import math
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self, SupportsFloat

from engine.errors import RunError, UserError
from engine.runs import schema
from engine.runs.event_writer import EventWriter
from engine.runs.files import SCRATCH, Replacing, discard, hold
from engine.runs.identity import Identity
from engine.runs.reader import history
from engine.runs.schema import Process, RunInfo, Summary, archive_exit, occupied, withdraw_requests
from engine.runs.throughput import Throughput
from engine.stages import STAGES, Artifact, Stage

SUMMARY_EVERY = 1.0  # seconds between two summaries
CONTROL_EVERY = 0.2  # seconds between two looks into control/


class Stopped(Exception):
    """Raised by a stage after it wrote its checkpoint because it was asked to stop."""


class Run:
    """One attempt of one stage at its folder. See the contract of each method; ``clock`` gives unix seconds."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self.info = RunInfo.read(folder)
        self.id = self.info.id
        if self.info.stage not in STAGES:
            raise RunError(
                f"there is no stage {self.info.stage!r}",
                location=str(folder),
                remedy=f"Stages are: {', '.join(STAGES)}.",
            )
        self.stage: Stage = STAGES[self.info.stage]
        self._clock = clock
        self._goals = {metric.name: metric.goal for metric in self.stage.metrics if metric.goal}
        self._me = Identity.of(os.getpid())
        earlier, process = Summary.read(folder), Process.read(folder)
        # The stage leads its process group, but a wrapper (a profiler, a shell) may stand between the two.
        leader = process.stage if process else None
        self._supervised = leader is not None and leader.pid == os.getpgrp() and bool(leader.alive)
        if process and self._supervised:
            self.attempt = process.attempt
        else:
            self.attempt = schema.next_attempt(folder)
        now = clock()
        self._earlier = earlier
        self._summary = Summary(attempt=self.attempt, process=self._me, started=now, hb=now)
        self._summary_at = 0.0
        self._groups: list[str] = []
        self._watcher: Callable[[Mapping[str, Any]], None] | None = None
        self._pace = Throughput()
        self._term = False
        self._control = (0.0, False, False)  # looked at, stop, stop after evaluation
        self._lock: int | None = None
        self._old_handler: Any = None
        for place in (schema.ARTIFACTS, schema.CHECKPOINTS):
            discard(folder / place / SCRATCH)
        self._journal = EventWriter(folder / schema.EVENTS, clock)
        self._journal.write("start", attempt=self.attempt)
        self._beat(force=True)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The run at ``folder``, as a new attempt unless a supervisor has begun one."""
        return cls(Path(folder))

    # -- files ---------------------------------------------------------------------------------------------------

    def input(self, artifact: Artifact) -> Path:
        """Where ``artifact`` lies. RunError when the stage did not declare it or it is not there."""
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
        """Whether a declared input that may be missing is there."""
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
        """Where this run's checkpoints lie; each one that is there is whole."""
        return self.folder / schema.CHECKPOINTS

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[Path]:
        """A scratch path that becomes ``checkpoints/<name>`` when the block ends without an exception."""
        final = self.checkpoints / name
        with Replacing(final) as scratch:
            yield scratch
        size = sum(part.stat().st_size for part in [final, *final.rglob("*")] if part.is_file())
        self._journal.flush()
        self._write("ckpt", path=f"{schema.CHECKPOINTS}/{name}", bytes=size)

    # -- being asked to stop -------------------------------------------------------------------------------------

    @property
    def stop_requested(self) -> bool:
        """Whether to write a checkpoint and raise ``Stopped`` as soon as possible."""
        return self._term or self._asked()[0]

    @property
    def stop_after_evaluation(self) -> bool:
        """Whether to do so after the next evaluation."""
        return self._asked()[1]

    def _asked(self) -> tuple[bool, bool]:
        at, stop, later = self._control
        if self._clock() - at >= CONTROL_EVERY:
            control = self.folder / schema.CONTROL
            stop, later = (control / schema.STOP).exists(), (control / schema.STOP_AFTER_EVALUATION).exists()
            self._control = (self._clock(), stop, later)
        return stop, later

    # -- reports -------------------------------------------------------------------------------------------------

    def resumed(self, step: int) -> None:
        """This attempt goes on after ``step``: what earlier ones reported later than that no longer counts."""
        self._journal.write("start", attempt=self.attempt, resumed_from=step)
        self._summary.step = step
        if self._earlier:
            self._summary.facts = dict(self._earlier.facts)
        for evaluation in history(self.folder).evaluations:  # cut at ``step`` by the event just written
            self._keep_best(evaluation.step, evaluation.values)

    def watch(self, watcher: Callable[[Mapping[str, Any]], None]) -> None:
        """``watcher`` is told every report as the fields of its event, before any is thinned out; it may report too."""
        self._watcher = watcher

    def trains(self, module: Any, course: Any, groups: Mapping[str, Any]) -> None:
        """A training is about to begin with these. Nothing to do: who rehearses a run looks at them here."""

    def describe(
        self,
        groups: Mapping[str, int],
        gates: Mapping[str, Any] | None = None,
        course: Mapping[str, Any] | None = None,
    ) -> None:
        """Name the parameter groups {name: trainable parameters} and gate layers that later reports go by.

        ``course`` is what a training plans: ``patience``, and the ``stale`` ``evaluations`` that it begins with.
        """
        self._groups = list(groups)
        names = {
            metric.name: {"goal": metric.goal, "unit": metric.unit, "help": metric.help}
            for metric in self.stage.metrics
        }
        sizes = [{"name": name, "numel": int(size)} for name, size in groups.items()]
        self._write(
            "schema",
            names=names,
            groups=sizes,
            gates=dict(gates) if gates else None,
            course=dict(course) if course else None,
        )

    def scalars(self, step: int, values: Mapping[str, SupportsFloat], epoch: float | None = None) -> None:
        """Numbers of a training step. Several calls for one step add up."""
        numbers = {name: float(f"{float(value):.9g}") for name, value in values.items()}  # whole float32 precision
        self._summary.last |= numbers
        self._keep_best(step, numbers)
        self._write("s", step=step, epoch=epoch, m=numbers)

    def evaluation(
        self,
        step: int,
        values: Mapping[str, SupportsFloat],
        epoch: float | None = None,
        best: bool = False,
        split: str = "validation",
    ) -> None:
        """Numbers of an evaluation; ``best`` when the model of this step is the one to keep. Never thinned out."""
        numbers = {name: float(value) for name, value in values.items()}
        self._summary.last |= numbers
        self._keep_best(step, numbers)
        self._journal.flush()
        self._write("val", step=step, epoch=epoch, m=numbers, split=split, best=bool(best))

    def gradients(
        self,
        step: int,
        total: float,
        norms: Sequence[float | None],
        clip: float | None,
        clipped: bool,
        updates: Sequence[float | None] | None = None,
    ) -> None:
        """Gradient norms in the order of ``describe``'s groups: None = no gradient at all, 0.0 = exactly zero.

        ``total`` is the norm before clipping at ``clip``; ``updates`` are norms of the step over norms of the weights.
        """
        for given in (norms, updates):
            if given is not None and len(given) != len(self._groups):
                raise ValueError(f"{len(given)} values for the {len(self._groups)} groups {self._groups}")
        self._write(
            "grad",
            step=step,
            total=_digits(total),
            g=[_digits(norm) for norm in norms],
            clip=clip,
            clipped=bool(clipped),
            u=None if updates is None else [_digits(update) for update in updates],
        )

    def gate(
        self, step: int, layer: str, counts: Sequence[Sequence[float]], load: Sequence[float], entropy: float
    ) -> None:
        """A layer's gate weights: histogram counts [E experts, bins], mean weight load [E], mean entropy in nats."""
        self._journal.gate(step, layer, counts, load, entropy)
        self._tell("gate", step=step, layer=layer, load=load, ent=entropy)
        self._beat()

    def progress(self, step: int, total: int, phase: str, rate: float | None = None, unit: str = "steps") -> None:
        """``step`` of ``total`` units of ``phase`` are done; also the heartbeat, so call it every few seconds.

        ``rate`` in units a second is measured here when it is not given.
        """
        summary = self._summary
        new_phase = summary.phase != phase
        measured = self._pace.measure(self._clock(), int(step), phase)
        summary.rate = measured if rate is None else float(rate)
        summary.phase, summary.step, summary.total, summary.unit = phase, int(step), int(total), unit
        summary.eta = max(total - step, 0) / summary.rate if summary.rate else None
        if new_phase:
            self._journal.flush("prog")
        self._write(
            "prog",
            step=step,
            always=new_phase or step == total,
            total=int(total),
            phase=phase,
            unit=unit,
            rate=_digits(summary.rate),
            eta=_digits(summary.eta),
        )

    def health(self, code: str, level: str, hint: str, groups: Sequence[str] = ()) -> None:
        """Something looks wrong: a short code, info / warning / error, and what to look at. Never thinned out."""
        flag = self._summary.health.setdefault(code, {"step": self._summary.step, "count": 0})
        flag |= {"level": level, "hint": hint, "groups": list(groups), "count": flag["count"] + 1}
        self._write("health", code=code, level=level, hint=hint, groups=list(groups))

    def log(self, level: str, message: str) -> None:
        """A line for people, beside what the stage prints."""
        self._write("log", level=level, msg=message)

    def note(self, **facts: Any) -> None:
        """Small facts (JSON values) kept in the summary: train_seconds=..., items=..."""
        self._summary.facts |= facts
        self._beat(force=True)

    def _keep_best(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            goal, best = self._goals.get(name), self._summary.best.get(name)
            if goal is None or math.isnan(value):
                continue
            if best is None or (value > best["v"] if goal == "max" else value < best["v"]):
                self._summary.best[name] = {"v": value, "step": step}

    def _write(
        self, kind: str, *, step: int | None = None, epoch: float | None = None, always: bool = False, **fields: Any
    ) -> None:
        if epoch is not None:
            self._summary.epoch = float(epoch)
        if step is not None and not self._summary.total:  # progress, once reported, says where the run is
            self._summary.step = int(step)
        self._journal.write(kind, step=step, epoch=epoch, always=always, **fields)
        self._tell(kind, step=step, **fields)
        self._beat()

    def _tell(self, kind: str, **fields: Any) -> None:
        if self._watcher is not None and kind not in ("health", "log"):
            self._watcher({"k": kind} | fields)

    def _beat(self, *, force: bool = False) -> None:
        """Bring the summary up to date, at most once a second unless something must be known at once."""
        now = self._clock()
        self._summary.hb = now
        if force or not 0 <= now - self._summary_at < SUMMARY_EVERY:
            self._summary.write(self.folder, sync=False)
            self._summary_at = now

    # -- the attempt as a whole ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if not self._supervised:
            self._lock = hold(self.folder / schema.LOCK)
            if self._lock is None:
                raise occupied(self.folder)
            archive_exit(self.folder)
            if self.attempt > 1:
                withdraw_requests(self.folder)
        if threading.current_thread() is threading.main_thread():
            self._old_handler = signal.signal(signal.SIGTERM, self._on_term)
        return self

    def _on_term(self, number: int, frame: FrameType | None) -> None:
        self._term = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._old_handler is not None:
            signal.signal(signal.SIGTERM, self._old_handler)
        summary = self._summary
        if error is None:
            summary.ended = "done"
        elif isinstance(error, Stopped | KeyboardInterrupt):
            summary.ended, summary.error = "stopped", str(error)
        else:
            summary.ended = "failed"
            summary.error = str(error) if isinstance(error, UserError) else _last_line(error)
        details: dict[str, Any] = {} if error is None else {"reason": summary.error}
        if summary.ended == "failed" and not isinstance(error, UserError):
            details["trace"] = "".join(traceback.format_exception(error))[-4000:]
        # A full disk may refuse one of the two and take the other. When it has ended the work, that first error is
        # the one to tell.
        first: AbstractContextManager[None] = suppress(RunError) if error else nullcontext()
        with ExitStack() as always:
            if self._lock is not None:
                always.callback(os.close, self._lock)
            always.callback(self._journal.close)
            always.enter_context(first)
            always.callback(self._conclude)
            self._journal.flush()
            self._journal.write("end", status=summary.ended, **details)

    def _conclude(self) -> None:
        self._summary.hb = self._clock()
        self._summary.write(self.folder)


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def _digits(value: SupportsFloat | None) -> float | None:
    """Four significant digits: enough to see a norm or a rate, a third of the bytes."""
    return None if value is None else float(f"{float(value):.4g}")
