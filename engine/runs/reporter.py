"""What a stage reports of its work: events in ``events.jsonl`` and the latest values in ``summary.json``.

Reports are the heartbeat. Each returns at once. Events above the rate of their kind (events.py) are thinned out; the
newest one that was held back is written before the next evaluation, checkpoint or end.
"""

import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, SupportsFloat

from engine.errors import RunError
from engine.runs import schema
from engine.runs.event_writer import EventWriter
from engine.runs.events import pack_counts
from engine.runs.identity import Identity
from engine.runs.reader import history
from engine.runs.schema import Summary
from engine.runs.signs_of_life import signs_of_life
from engine.runs.throughput import Throughput
from engine.stages import Stage

SUMMARY_EVERY = 1.0  # seconds between two summaries


class Reporter:
    """Writes the events and the summary of one attempt. ``clock`` gives unix seconds."""

    def __init__(self, folder: Path, stage: Stage, attempt: int, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._metrics = stage.metrics
        self._attempt = attempt
        self._clock = clock
        self._goals = {metric.name: metric.goal for metric in stage.metrics if metric.goal}
        self._earlier = Summary.read(folder)
        now = clock()
        self._summary = Summary(attempt=attempt, process=Identity.of(os.getpid()), started=now, hb=now)
        self._summary_at = 0.0
        self._writing = threading.Lock()  # of the summary, which ``loading`` writes in a thread
        self._groups: list[str] = []
        self._watcher: Callable[[Mapping[str, Any]], None] | None = None
        self._throughput = Throughput()
        self._events = EventWriter(folder / schema.EVENTS, clock)
        self._events.write("start", attempt=attempt)
        self._beat(force=True)

    def resumed(self, step: int) -> None:
        """This attempt continues after ``step``: reports of earlier attempts about later steps no longer count."""
        self._events.write("start", attempt=self._attempt, resumed_from=step)
        self._summary.step = step
        if self._earlier:
            self._summary.facts = dict(self._earlier.facts)
        for evaluation in history(self._folder).evaluations:  # cut at ``step`` by the event just written
            self._keep_best(evaluation.step, evaluation.values)
            if evaluation.best:
                self._summary.kept, self._summary.kept_step = dict(evaluation.values), int(evaluation.step)

    def watch(self, watcher: Callable[[Mapping[str, Any]], None]) -> None:
        """Call ``watcher`` with the fields of every event before events are thinned out; it may report too."""
        self._watcher = watcher

    def training_begins(self, module: Any, plan: Any, groups: Mapping[str, Any]) -> None:
        """Called before a training with what it trains. Does nothing; the doctor's rehearsal overrides it."""

    def describe(
        self,
        groups: Mapping[str, int],
        gates: Mapping[str, Any] | None = None,
        plan: Mapping[str, Any] | None = None,
    ) -> None:
        """Name the parameter groups {name: trainable parameters} and gate layers that later reports refer to.

        ``plan`` of a training: ``patience``, and the ``stale`` ``evaluations`` that it begins with.
        """
        self._groups = list(groups)
        planned: dict[str, Any] = {"course": dict(plan) if plan else None}
        self._report(
            "schema",
            names={item.name: {"goal": item.goal, "unit": item.unit, "help": item.help} for item in self._metrics},
            groups=[{"name": name, "numel": int(size)} for name, size in groups.items()],
            gates=dict(gates) if gates else None,
            **planned,
        )

    def scalars(self, step: int, values: Mapping[str, SupportsFloat], epoch: float | None = None) -> None:
        """Numbers of a training step. Several calls for one step add up."""
        numbers = {name: float(f"{float(value):.9g}") for name, value in values.items()}  # full float32 precision
        self._keep(step, numbers)
        self._report("s", step=step, epoch=epoch, m=numbers)

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
        self._keep(step, numbers)
        if best:
            self._summary.kept, self._summary.kept_step = numbers, int(step)
        self._events.flush()
        self._report("val", step=step, epoch=epoch, m=numbers, split=split, best=bool(best))

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
        self._report(
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
        packed, largest = pack_counts(counts)
        self._events.write(
            "gate",
            step=step,
            key=layer,
            layer=layer,
            c=packed,
            n=float(sum(map(sum, counts))),
            mx=largest,
            ent=_digits(entropy),
            load=[_digits(share) for share in load],
        )
        self._notify("gate", step=step, layer=layer, load=load, ent=entropy)
        self._beat()

    def progress(self, step: int, total: int, phase: str, rate: float | None = None, unit: str = "steps") -> None:
        """``step`` of ``total`` units of ``phase`` are done; also the heartbeat, so call it every few seconds.

        ``rate`` in units a second is measured when it is not given.
        """
        summary = self._summary
        new_phase = summary.phase != phase
        complete = step == total and (summary.step, summary.total) != (step, total)  # for the first time
        measured = self._throughput.measure(self._clock(), int(step), phase)
        summary.rate = measured if rate is None else float(rate)
        summary.phase, summary.step, summary.total, summary.unit = phase, int(step), int(total), unit
        summary.eta = max(total - step, 0) / summary.rate if summary.rate else None
        if new_phase:
            self._events.flush("prog")
        self._report(
            "prog",
            step=step,
            always=new_phase or complete,
            total=int(total),
            phase=phase,
            unit=unit,
            rate=_digits(summary.rate),
            eta=_digits(summary.eta),
        )

    @contextmanager
    def loading(self, phase: str) -> Iterator[None]:
        """The block imports or loads something and reports nothing; meanwhile a thread keeps the heartbeat."""
        before, self._summary.phase = self._summary.phase, phase
        self._beat(force=True)
        with signs_of_life(lambda: self._beat(force=True)):
            yield
        if self._summary.phase == phase:
            self._summary.phase = before

    def health(self, code: str, level: str, hint: str, groups: Sequence[str] = ()) -> None:
        """A suspected problem: a short code, info / warning / error, and what to look at. Never thinned out."""
        flag = self._summary.health.setdefault(code, {"step": self._summary.step, "count": 0})
        flag |= {"level": level, "hint": hint, "groups": list(groups), "count": flag["count"] + 1}
        self._report("health", code=code, level=level, hint=hint, groups=list(groups))

    def log(self, level: str, message: str) -> None:
        """A line for people, beside what the stage prints."""
        self._report("log", level=level, msg=message)

    def note(self, **facts: Any) -> None:
        """Small facts (JSON values) kept in the summary: train_seconds=..., items=..."""
        self._summary.facts |= facts
        self._beat(force=True)

    def flush(self) -> None:
        """Write the events that were held back, and the summary."""
        self._events.flush()
        self._beat(force=True)

    def saved(self, path: Path) -> None:
        """The checkpoint at ``path`` is whole."""
        size = sum(part.stat().st_size for part in [path, *path.rglob("*")] if part.is_file())
        self._events.flush()
        self._report("ckpt", path=str(path.relative_to(self._folder)), bytes=size)

    def end(self, status: str, error: str = "", trace: str | None = None) -> None:
        """Record the end of the attempt: done, stopped or failed."""
        self._summary.ended, self._summary.error = status, error
        # A full disk may refuse one of the two records and accept the other. When the attempt has failed already, its
        # first error is the one to raise.
        refused: AbstractContextManager[None] = nullcontext() if status == "done" else suppress(RunError)
        with ExitStack() as stack:
            stack.callback(self._events.close)
            stack.enter_context(refused)
            stack.callback(self._conclude)
            self._events.flush()
            self._events.write("end", status=status, reason=None if status == "done" else error, trace=trace)

    def _conclude(self) -> None:
        self._summary.hb = self._clock()
        self._summary.write(self._folder)

    def _keep(self, step: int, numbers: Mapping[str, float]) -> None:
        self._summary.last |= numbers
        self._keep_best(step, numbers)

    def _keep_best(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            goal, best = self._goals.get(name), self._summary.best.get(name)
            if goal is None or math.isnan(value):
                continue
            if best is None or (value > best["v"] if goal == "max" else value < best["v"]):
                self._summary.best[name] = {"v": value, "step": step}

    def _report(
        self, kind: str, *, step: int | None = None, epoch: float | None = None, always: bool = False, **fields: Any
    ) -> None:
        if epoch is not None:
            self._summary.epoch = float(epoch)
        if step is not None and not self._summary.total:  # once progress was reported, it determines the step
            self._summary.step = int(step)
        self._events.write(kind, step=step, epoch=epoch, always=always, **fields)
        self._notify(kind, step=step, **fields)
        self._beat()

    def _notify(self, kind: str, **fields: Any) -> None:
        if self._watcher is not None and kind not in ("health", "log"):
            self._watcher({"k": kind} | fields)

    def _beat(self, *, force: bool = False) -> None:
        """Update the summary, at most once a second unless forced."""
        with self._writing:
            now = self._clock()
            self._summary.hb = now
            if force or not 0 <= now - self._summary_at < SUMMARY_EVERY:
                self._summary.write(self._folder, sync=False)
                self._summary_at = now


def counted(reporter: "Reporter | SilentReporter", phase: str, unit: str) -> Callable[[int, int], None]:
    """A function of how much is done, and of how much, that reports both as the progress of a phase."""

    def tick(done: int, total: int) -> None:
        reporter.progress(done, total, phase, unit=unit)

    return tick


class SilentReporter:
    """A reporter without effect, for a process whose reports another process of the run makes."""

    def _ignore(self, *given: Any, **named: Any) -> None: ...

    def loading(self, phase: str) -> AbstractContextManager[None]:
        return nullcontext()

    describe = resumed = scalars = evaluation = gradients = gate = progress = _ignore
    health = log = note = watch = training_begins = flush = saved = end = _ignore


def _digits(value: SupportsFloat | None) -> float | None:
    """Four significant digits: enough to see a norm or a rate, a third of the bytes."""
    return None if value is None else float(f"{float(value):.4g}")
