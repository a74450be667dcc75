"""Everything around the steps of a training: learning rate, clipping, reports, evaluations, checkpoints, ends."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from engine.errors import UserError
from engine.metrics.selection import HALVES
from engine.runs.run import Run
from engine.stages import LEARNING_RATE, LOSS, SPEED
from engine.training import checkpoint, gradients, health, processes, weights
from engine.training.captured import CapturedTraining, Reading
from engine.training.checkpoint import Snapshot, TrainState
from engine.training.plan import TOKENS, TrainingPlan, is_reported

HEARTBEAT = 1.0  # seconds between two progress reports when steps are slow

# Receives a heartbeat to call now and then; gives metrics and, under HALVES, the deciding one on halves of the users.
Evaluate = Callable[[Callable[[int, int], None]], Mapping[str, float]]


class TrainingCallback(pl.Callback):
    """Everything around the steps: learning rate, clipping, reports, evaluations, checkpoints, ends.

    Captured steps contain their learning rate, clipping and running mean; the callback follows chunks of them.
    """

    def __init__(
        self,
        run: Run,
        plan: TrainingPlan,
        report_every: int,
        module: pl.LightningModule,
        groups: gradients.Groups,
        evaluate: Evaluate | None,
        positions: Callable[[int], int],
    ) -> None:
        self.module, self.plan, self.run, self.groups = module, plan, run, groups
        self.evaluate, self.positions, self.every = evaluate, positions, report_every
        self.resumed = checkpoint.newest(run)
        self.state = self.resumed.state if self.resumed else TrainState()
        self.best = self.resumed.best if self.resumed else {}
        if self.resumed:  # reported here: a training at its last step starts no loop
            run.resumed(self.state.step)
        self.stopped = False
        self._on_term = signal.getsignal(signal.SIGTERM) or signal.SIG_DFL
        self._before: list[list[Tensor]] | None = None
        self._squares: list[Tensor | None] = []
        self._norm: Tensor | None = None  # before clipping
        self._bad: Tensor | None = None  # whether a loss since the last report was not a number
        self._average: dict[str, Tensor] = {}
        self._since = (0.0, 0.0, 0)  # wall, CPU and positions at the last report
        self._sign = 0.0

    @property
    def finished(self) -> bool:
        """Whether patience is used up."""
        return 0 < self.plan.patience <= self.state.stale

    # -- Lightning's hooks, in the order in which they happen ---------------------------------------------------

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning's SIGTERM handler communicates with the other processes in the middle of a step.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_term)
        for group in trainer.optimizers[0].param_groups:
            group.setdefault("full_lr", group["lr"])
        if self.resumed is not None:
            weights.put(self.module, self.resumed.model)
            trainer.optimizers[0].load_state_dict(self.resumed.optimizer)
            self._average = {name: value.to(self.module.device) for name, value in self.resumed.average.items()}
            checkpoint.restore_random(self.resumed.random)
            self.resumed = None  # its tensors are not needed twice
        elif self.plan.average is not None:
            self._average = {name: p.detach().clone() for name, p in weights.trained(self.module).items()}
        if isinstance(pl_module, CapturedTraining):
            pl_module.begin(trainer.optimizers[0], self._average)
        self._restart_clock()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        if isinstance(pl_module, CapturedTraining):
            return
        factor = self.plan.rate(batch)
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = group["full_lr"] * factor

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if self.plan.sharded:  # Lightning averages gradients where every process holds all weights
            gradients.average(self.groups, processes.current())
        reported = is_reported(self.state.step + 1, self.every)
        if reported:
            self._squares = gradients.squares(self.groups)
            self._before = gradients.snapshot(self.groups)
            self._check_gradients(self._squares, self.state.step + 1)
        if self.plan.clip is not None:
            self._norm = gradients.clip(self.groups, self.plan.clip)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        captured = pl_module if isinstance(pl_module, CapturedTraining) else None
        first, stop = batch if captured else (batch, batch + 1)
        self.state.step = step = stop
        self.state.positions += sum(self.positions(one) for one in range(first, stop))
        if captured:
            self._bad = captured.bad
        else:
            self.state.tokens += outputs.pop(TOKENS, 0)
            if self._average:
                self._follow(step)
            bad = ~torch.isfinite(outputs["loss"])
            self._bad = bad if self._bad is None else self._bad | bad
        reported = is_reported(step, self.every)
        evaluated = step % self.plan.evaluate_every == 0 or step == self.plan.steps
        if (reported or evaluated or self._bad.device.type == "cpu") and _any(trainer, bool(self._bad)):
            self._end_not_a_number("the loss", step)
        if reported and captured:
            assert captured.reading is not None
            self._check_gradients(captured.reading.squares, step)
            self._report(trainer, captured.reading)
        elif reported:
            assert self._before is not None
            changes = gradients.changes(self.groups, self._before)
            self._report(trainer, Reading(outputs, self._squares, self._norm, changes))
            self._before = None
        self._alive()
        if evaluated:
            self._stop_clock()
            self._evaluate(trainer)
            self._checkpoint(trainer)
            self._restart_clock()
        asked = _any(trainer, self.run.stop_requested or (evaluated and self.run.stop_after_evaluation))
        if asked and step < self.plan.steps and not self.finished:
            if not evaluated:
                self._stop_clock()
                self._checkpoint(trainer)
            self.stopped = True
        trainer.should_stop = self.stopped or self.finished

    # -- what they do ---------------------------------------------------------------------------------------------

    def _check_gradients(self, squares: Sequence[Tensor | None], step: int) -> None:
        if not math.isfinite(gradients.total(gradients.norms(squares))):
            self._end_not_a_number("a gradient", step)

    def _report(self, trainer: pl.Trainer, reading: Reading) -> None:
        state, epoch = self.state, self.state.step / self.plan.per_epoch
        wall, _, positions = self._since
        self._stop_clock()
        elapsed = time.monotonic() - wall
        numbers = {name: float(_mean(trainer, value)) for name, value in reading.values.items() if name != "loss"}
        numbers[LOSS.name] = float(_mean(trainer, reading.values["loss"]))
        numbers[LEARNING_RATE.name] = self._rates(trainer.optimizers[0])[0]
        if elapsed > 0:
            numbers[SPEED.name] = (state.positions - positions) / elapsed
        self.run.scalars(state.step, numbers, epoch)
        norms, ratios = gradients.norms(reading.squares), gradients.updates(reading.changes)
        norm, clipped, clip = gradients.total(norms), False, self.plan.clip
        if reading.norm is not None and clip is not None:
            norm, clipped = float(reading.norm), bool(reading.norm > clip)
        self.run.gradients(state.step, norm, norms, clip, clipped, ratios)
        self._progress()
        self._restart_clock()

    def _alive(self, done: int = 0, total: int = 0) -> None:
        """A heartbeat within a step or an evaluation."""
        if time.monotonic() - self._sign > HEARTBEAT:
            self._progress()

    def _progress(self) -> None:
        self.run.progress(self.state.step, self.plan.steps, "train")
        self._sign = time.monotonic()

    def _evaluate(self, trainer: pl.Trainer) -> None:
        state = self.state
        if self.evaluate is None:  # nothing judges: the newest weights are the ones to keep
            with self._averaged():
                self.best = self._weights()
            state.best_step = state.step
            return
        with self._averaged():
            evaluates = trainer.is_global_zero or self.plan.shared_evaluation
            values = dict(self.evaluate(self._alive)) if evaluates else {}
            if trainer.world_size > 1:
                values = trainer.strategy.broadcast(values)
            sign = -1.0 if self.plan.lower_is_better else 1.0
            halves = [values.pop(name) for name in HALVES if name in values]
            state.halves += [halves] if halves else []
            value, best = values[self.plan.metric], state.best.get(self.plan.metric)
            better = best is None or sign * value > sign * best
            if better:
                self.best = self._weights()
        if better:
            state.best, state.best_step, state.stale = values, state.step, 0
        else:
            state.stale += 1
        self.run.evaluation(state.step, values, state.step / self.plan.per_epoch, best=better)

    def _weights(self) -> dict[str, Tensor]:
        """A copy of the module's weights as they are."""
        return {name: value.detach().clone() for name, value in weights.state(self.module).items()}

    def _follow(self, step: int) -> None:
        """a <- d a + (1 - d) w, 1 - d the plan's share of the newest weights."""
        newest = weights.trained(self.module)
        torch._foreach_lerp_(
            [self._average[name] for name in newest], [p.detach() for p in newest.values()], self.plan.newest(step)
        )

    def _rates(self, optimizer: torch.optim.Optimizer) -> list[float]:
        """The learning rates of the newest step."""
        factor = self.plan.rate(self.state.step - 1)
        return [group["full_lr"] * factor for group in optimizer.param_groups]

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Eval mode, no gradients, averaged weights in place of the newest where they are kept."""
        learning = weights.trained(self.module)
        was_training = [part.training for part in self.module.modules()]
        self.module.eval()
        with torch.no_grad():
            newest = {name: learning[name].detach().clone() for name in self._average}
            weights.put(self.module, self._average)
            yield
            weights.put(self.module, newest)
        for part, training in zip(self.module.modules(), was_training, strict=True):
            part.training = training

    def _checkpoint(self, trainer: pl.Trainer) -> None:
        optimizer = trainer.optimizers[0].state_dict()
        # As numbers, and as an optimizer outside of a graph has them: the file is the same however steps were made.
        for group, rate in zip(optimizer["param_groups"], self._rates(trainer.optimizers[0]), strict=True):
            group |= {"lr": rate} | ({"capturable": False} if "capturable" in group else {})
        snapshot = Snapshot(
            state=self.state,
            model=weights.state(self.module),
            best=self.best,
            average=self._average,
            optimizer=optimizer,
            random=checkpoint.random_states(),
        )
        checkpoint.save(self.run, snapshot)

    def _end_not_a_number(self, what: str, step: int) -> None:
        found = health.not_a_number(what, step, gradients.not_finite(self.groups))
        self.run.health(found.code, found.level, found.hint, found.groups)
        where = f" ({', '.join(found.groups)})" if found.groups else ""
        raise UserError(
            f"{what} is not a finite number at step {step}{where}: training cannot go on",
            location=self.run.id,
            remedy="Most often the learning rate is too high: lower it, set a clip (for example 1.0) or more warm-up.",
        )

    def _restart_clock(self) -> None:
        self._since = (time.monotonic(), time.process_time(), self.state.positions)

    def _stop_clock(self) -> None:
        if self.module.device.type == "cuda":  # what was sent there is part of the time
            torch.cuda.synchronize()
        wall, cpu, _ = self._since
        self.state.seconds += time.monotonic() - wall
        self.state.cpu_seconds += time.process_time() - cpu


def _any(trainer: pl.Trainer, flag: bool) -> bool:
    """Whether the flag is set in any process: all must leave the loop at the same step."""
    return trainer.strategy.reduce_boolean_decision(flag, all=False) if trainer.world_size > 1 else flag


def _mean(trainer: pl.Trainer, value: Any) -> Any:
    """Mean over processes: each has divided by the whole batch and multiplied by their number."""
    return trainer.strategy.reduce(value, reduce_op="mean") if trainer.world_size > 1 else value
