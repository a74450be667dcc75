"""``fit``: train a LightningModule and keep the weights of its best evaluation. The only file that builds a Trainer.

A training step is called with its number and makes its own batch from it, so there is no loader whose position could be
lost: going on after step k means calling step k. Lightning drives devices, precision, optimizer and processes.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy as ProcessStarter
from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy
from torch import nn

from engine.config.settings.trainer import TrainerSettings
from engine.errors import UserError
from engine.metrics.selection import optimism
from engine.runs.read_only import rank
from engine.runs.run import Run, Stopped
from engine.stages import BEST_OPTIMISM, TRAIN_TOKENS
from engine.training import gradients, weights
from engine.training.callback import Evaluate, TrainingCallback
from engine.training.captured import CapturedTraining, Chunks
from engine.training.checkpoint import TrainState
from engine.training.executors import DirectExecutor, Executor, GraphExecutor
from engine.training.fixed_step import FixedStep
from engine.training.plan import TrainingPlan as TrainingPlan  # what callers of ``fit`` make
from engine.training.processes import Processes


def fit(
    module: pl.LightningModule,
    plan: TrainingPlan,
    settings: TrainerSettings,
    run: Run,
    *,
    groups: gradients.Groups,
    evaluate: Evaluate | None,
    positions: Callable[[int], int],
) -> TrainState:
    """Train until the steps or the patience are used up; ``module`` then holds the weights of the best evaluation.

    ``module.training_step(step, _)`` returns the loss, or a dict of ``loss`` and other numbers to report; ``tokens`` of
    all processes are added up instead.
    ``groups`` names every trainable parameter once; ``evaluate`` is called in eval mode without gradients; None keeps
    the last weights, unjudged. ``positions(step)`` counts what the speed is measured in. Goes on from the run's newest
    checkpoint if it has one. Raises Stopped after writing a checkpoint when the run is asked to stop, UserError when
    the loss is not a number.
    """
    groups = {name: group for name, group in groups.items() if len(group)}  # post-norm with a tied output has none
    _check_groups(module, groups)
    run.training_begins(module, plan, groups)
    callback = TrainingCallback(run, plan, settings.report_every, module, groups, evaluate, positions)
    state = callback.state
    run.describe(
        {name: sum(p.numel() for p in group) for name, group in groups.items()},
        plan={
            "patience": plan.patience,
            "stale": state.stale,
            "evaluations": state.step // plan.evaluate_every,
            "resting": list(plan.resting),
            "steps": plan.steps,
            "uniform": plan.uniform and list(plan.uniform),
        },
    )
    if state.step < plan.steps and not callback.finished:
        torch.set_float32_matmul_precision(settings.matmul)
        precision = plan.precision or settings.precision
        trained: pl.LightningModule = module
        steps: range | Chunks = range(state.step, plan.steps)
        executor = _executor(module, settings, run)
        if executor is not None:
            assert isinstance(module, FixedStep)
            half = precision == "bf16-mixed"
            trained = CapturedTraining(module, plan, groups, settings.report_every, half, executor)
            steps, precision = Chunks(state.step, plan, settings.report_every), "32-true"
        with _quiet_lightning():
            trainer = pl.Trainer(
                accelerator=accelerator(settings),
                devices=settings.devices,
                strategy=_together(plan, settings) if settings.devices > 1 else "auto",
                precision=precision,  # type: ignore[arg-type]
                max_epochs=1,
                callbacks=[callback],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
                plugins=[LightningEnvironment()],  # inside a Slurm job, too, a run starts its processes itself
            )
            trainer.fit(trained, steps)
    if callback.stopped:
        raise Stopped(f"stopped after step {state.step}, which its checkpoint holds")
    weights.put(module, callback.best)
    run.note(
        train_seconds=round(state.seconds, 3),
        train_cpu_seconds=round(state.cpu_seconds, 3),
        positions=state.positions,
        **({TRAIN_TOKENS: state.tokens} if state.tokens else {}),
        parameters=sum(p.numel() for group in groups.values() for p in group),
        steps=state.step,
        best_step=state.best_step,
        best=state.best,
        **({BEST_OPTIMISM: optimism(state.halves)} if state.halves else {}),
    )
    return state


def _executor(module: pl.LightningModule, settings: TrainerSettings, run: Run) -> Executor | None:
    """What executes whole steps, where they can be captured and are to be. The run's log has the choice."""
    gpu = accelerator(settings) == "gpu"
    if settings.cuda_graph == "false" or (settings.cuda_graph == "auto" and not gpu):
        return None
    if not isinstance(module, FixedStep):
        obstacle: str | None = "its steps have no fixed shapes"
    else:
        obstacle = "its processes communicate within a step" if settings.devices > 1 else module.obstacle()
    if obstacle is not None:
        run.log("info", f"no whole steps are captured as CUDA graphs: {obstacle}")
        return None
    assert isinstance(module, FixedStep)
    if not gpu:
        run.log("info", "steps run as they would be captured on a GPU, without a graph")
        return DirectExecutor()
    run.log("info", "each step is replayed as one CUDA graph per shape of its batch")
    return GraphExecutor(torch.device(device(settings)), module.generators)


def processes(settings: TrainerSettings) -> Processes:
    """Starts this run's other processes, one for each further device; each of them comes here too.

    A stage that communicates outside of ``fit`` calls it before, others leave it to ``fit``.
    """
    if settings.devices == 1:
        return Processes()
    gpu = accelerator(settings) == "gpu"
    with _quiet_lightning():
        fabric = Fabric(
            accelerator="gpu" if gpu else "cpu",
            devices=settings.devices,
            strategy=ProcessStarter(process_group_backend="cpu:gloo,cuda:nccl" if gpu else "gloo"),
            plugins=[LightningEnvironment()],
        )
        fabric.launch()
    return Processes(fabric.global_rank, fabric.world_size)


def _together(plan: TrainingPlan, settings: TrainerSettings) -> DDPStrategy | ModelParallelStrategy:
    """Several processes: gradients are averaged. Buffers are not: none decides a step, and item texts are large."""
    if plan.sharded:
        return ModelParallelStrategy(data_parallel_size=settings.devices, tensor_parallel_size=1)
    return DDPStrategy(find_unused_parameters=plan.skips, broadcast_buffers=False)


def accelerator(settings: TrainerSettings) -> str:
    """The name of what tensors live on: "cpu" or "gpu". UserError when a GPU is asked for and none is there."""
    there = torch.cuda.is_available()
    if settings.accelerator == "gpu" and not there:
        raise UserError(
            "there is no GPU that PyTorch can use", location="trainer.accelerator", remedy="Choose trainer=cpu."
        )
    return "gpu" if there and settings.accelerator != "cpu" else "cpu"


def device(settings: TrainerSettings) -> str:
    """PyTorch's device string: "cpu", "cuda" or "cuda:<rank>"."""
    if accelerator(settings) == "cpu":
        return "cpu"
    return f"cuda:{rank()}" if settings.devices > 1 else "cuda"


def _check_groups(module: nn.Module, groups: gradients.Groups) -> None:
    named = [id(parameter) for group in groups.values() for parameter in group]
    learning = {id(parameter) for parameter in weights.trained(module).values()}
    if len(named) != len(set(named)) or set(named) != learning:
        raise ValueError("every trainable parameter must be in exactly one reported group")


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Suppress Lightning's hints about hardware and the warnings that its own use of PyTorch causes."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*`broadcast_buffers` is deprecated.*", category=FutureWarning)
            # Where Slurm is installed, launcher=slurm starts runs: not Lightning.
            warnings.filterwarnings("ignore", message=".*`srun` command is available.*")
            # Frozen parts are meant to stay in evaluation mode.
            warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
