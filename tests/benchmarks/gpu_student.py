"""Sections of ``gpu.py``: steps of the student and of distillation at the shape of MovieLens-1M, and their start."""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import numpy as np
import torch
from distill_step import answers
from gpu_counting import Row, counted, milliseconds

from engine import config
from engine.config import Config
from engine.data.sequences import Rows, Sequences
from engine.distill import losses
from engine.distill.module import DistillModule
from engine.distill.teacher_targets import TeacherTargets
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id
from engine.student import cross_entropy
from engine.student.model import SequenceModel
from engine.student.module import StudentModule
from engine.student.training_plan import plan_of, sampler_of
from engine.student.validation import Validation
from engine.training import fit
from engine.training.captured import CapturedTraining
from engine.training.executors import DirectExecutor, GraphExecutor
from engine.training.fixed_step import FixedStep

# The network of SASRec and the length that figures on GPUs are of; the experiment's blocks are gated, and it is longer.
PLAIN = ["student.heads=1", "student.feedforward=1.0", "student.activation=relu", "student.gated=false"]
PLAIN += ["student.hidden=64", "student.learning_rate=1e-3", "student.epochs=120"]
ITEMS, USERS = 3416, 6040
EVERY = 50  # steps between two reports, as conf/trainer/gpu.yaml
STEPS = 40  # of a timed round


def drawn() -> Sequences:
    """Log-normal lengths around a median of 96 events, 18 to 2,312, 165 on average; long-tailed items."""
    random = np.random.default_rng(0)
    lengths = np.clip(np.exp(random.normal(np.log(96), 1.03, USERS)), 18, 2312).astype(np.int64)
    popularity = 1.0 / (np.arange(ITEMS) + 20.0)
    items = random.choice(ITEMS, int(lengths.sum()), p=popularity / popularity.sum()) + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(items.astype(np.int32), offsets.astype(np.int64), np.arange(USERS))


def configured(cuda: bool, *words: str) -> Config:
    """The ml-1m experiment with plain blocks and 120 epochs. What a processor counts is a GPU's step: chunks as large
    as there."""
    cross_entropy.SCORES_AT_ONCE["cpu"] = cross_entropy.SCORES_AT_ONCE["cuda"]
    losses.SCORES_AT_ONCE["cpu"] = losses.SCORES_AT_ONCE["cuda"]
    return config.load(["experiment=ml-1m", *PLAIN, f"trainer={'gpu' if cuda else 'cpu'}", *words])


def student_of(chosen: Config, sequences: Sequences, device: str) -> StudentModule:
    """The student of a configuration, compiled where that says so."""
    torch.manual_seed(1)
    sampler = sampler_of(chosen.student, sequences, device, same_shapes=True)
    model = SequenceModel(ITEMS, chosen.student).to(device)
    if chosen.trainer.compile:
        model.network.compile()
    return StudentModule(model, chosen.student, sampler)


def distilled_of(chosen: Config, sequences: Sequences, device: str) -> DistillModule:
    """The distilled student; every row and last position has a ranking."""
    settings = chosen.distill
    student, top = settings.student, max(settings.ranking.top, settings.kl.top)
    rankings, last = answers(sequences, ITEMS, top, np.random.default_rng(0))
    sampler = sampler_of(student, sequences, device, last_position=True, same_shapes=True)
    counts = torch.from_numpy(np.bincount(sequences.items, minlength=ITEMS + 1))
    events = len(sequences.items)
    torch.manual_seed(1)
    return DistillModule(
        SequenceModel(ITEMS, student),
        settings,
        sampler,
        TeacherTargets(rankings, events, top, device),
        torch.randn(ITEMS + 1, 256),
        losses.propensities(counts, settings.dro.power),
        EVERY,
        TeacherTargets(last, events + 1, settings.kl.top, device),
    ).to(device)


class Eager:
    """Steps as Lightning makes them, without its hooks."""

    def __init__(self, module: FixedStep, chosen: Config, device: str) -> None:
        self.module, self.device, self.optimizer = module.train(), device, module.configure_optimizers()
        self.half, self.number = chosen.trainer.precision == "bf16-mixed", 0

    def __call__(self) -> None:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.half):
            out = self.module.training_step(self.number, 0)
        self.optimizer.zero_grad()
        (out["loss"] if isinstance(out, dict) else out).backward()
        self.optimizer.step()
        self.number = self.number % 50 + 1  # neither a reported step nor the last batch of an epoch


class Captured:
    """The same steps as ``fit`` captures them, with the running mean of the weights."""

    def __init__(self, module: FixedStep, groups: object, chosen: Config, device: str) -> None:
        self.module, plan = module.train(), plan_of(chosen.student, 10_000)
        executor = GraphExecutor(torch.device(device), module.generators) if device == "cuda" else DirectExecutor()
        half = chosen.trainer.precision == "bf16-mixed"
        self.training = CapturedTraining(module, plan, groups, 10**9, half, executor)  # type: ignore[arg-type]
        optimizer = module.configure_optimizers()
        for group in optimizer.param_groups:
            group["full_lr"] = group["lr"]
        average = {name: p.detach().clone() for name, p in module.named_parameters()} if plan.average else {}
        self.training.begin(optimizer, average)

    def __call__(self, steps: int = 1) -> None:
        self.training.training_step((1, 1 + steps), 0)


def student(cuda: bool) -> Iterator[Row]:
    """A training step of the ml-1m experiment: 64 histories of up to 200 items."""
    device, sequences = "cuda" if cuda else "cpu", drawn()
    chosen = configured(cuda)
    yield from steps_of(student_of(chosen, sequences, device), chosen, device)


def compiled(cuda: bool) -> Iterator[Row]:
    """The same with ``trainer.compile``."""
    if cuda:
        chosen = configured(cuda, "trainer.compile=true")
        yield from steps_of(student_of(chosen, drawn(), "cuda"), chosen, "cuda")


def distill(cuda: bool) -> Iterator[Row]:
    """A distillation step over the same batches, with the default recipe."""
    device = "cuda" if cuda else "cpu"
    chosen = configured(cuda)
    yield from steps_of(distilled_of(chosen, drawn(), device), chosen, device)


def steps_of(module: StudentModule | DistillModule, chosen: Config, device: str, prefix: str = "") -> Iterator[Row]:
    """Counts of a plain and of a captured step; on a GPU also their time."""
    groups = module.model.groups() if isinstance(module, StudentModule) else module.groups()
    eager = Eager(module, chosen, device)
    begin = time.perf_counter()
    eager()
    if device == "cuda":
        torch.cuda.synchronize()
        yield Row(f"{prefix}first plain step", time.perf_counter() - begin, "s")
    yield from counted(f"{prefix}plain step", eager)
    if device == "cuda":
        yield Row(f"{prefix}plain step", milliseconds(eager, repeats=STEPS), "ms")
    captured = Captured(module, groups, chosen, device)
    if device == "cpu":
        yield from counted(f"{prefix}whole step", captured)
        return
    begin = time.perf_counter()
    captured(2)
    torch.cuda.synchronize()
    yield Row(f"{prefix}first step and capture", time.perf_counter() - begin, "s")
    yield from counted(f"{prefix}captured step", captured)
    found = milliseconds(lambda: captured(STEPS), repeats=1) / STEPS
    yield Row(f"{prefix}captured step", found, "ms")
    yield Row(f"{prefix}captured, positions", 1000 * module.sampler.positions(1) / found, "/s")
    begin = time.perf_counter()
    captured(STEPS)
    yield Row(f"{prefix}captured step, on the host", 1000 * (time.perf_counter() - begin) / STEPS, "ms")
    torch.cuda.synchronize()
    yield Row(f"{prefix}peak memory", torch.cuda.max_memory_allocated() / 2**30, "GiB")


def training(cuda: bool) -> Iterator[Row]:
    """All epochs of the experiment by ``fit`` with their evaluations, as the stage does it."""
    if not cuda:
        return
    chosen, sequences = configured(cuda), drawn()
    chosen.student.patience = 0
    module = student_of(chosen, sequences, "cuda")
    plan = plan_of(chosen.student, module.sampler.per_epoch)
    stop = sequences.offsets[1:]
    rows = Rows(sequences.items, sequences.offsets[:-1], stop - 1, sequences.users)
    validation = Validation(rows, "cuda")
    with tempfile.TemporaryDirectory() as folder:
        info = RunInfo(id=new_id("student"), stage="student", experiment="benchmark", seed=1, fingerprint="")
        made = Run(Store(Path(folder)).create(info, "seed: 1\n"))
        begin = time.perf_counter()
        state = fit.fit(
            module, plan, chosen.trainer, made, groups=module.model.groups(),
            evaluate=lambda alive: validation(module.model, alive), positions=module.sampler.positions,
        )  # fmt: skip
        seconds = time.perf_counter() - begin
    yield Row(f"{chosen.student.epochs} epochs", seconds, "s")
    yield Row("of which steps", state.seconds, "s")
    yield Row("a step of them, start included", 1000 * state.seconds / state.step, "ms")
    yield Row("processor seconds of steps", state.cpu_seconds, "s")


def first_step(cuda: bool) -> Iterator[Row]:
    """Seconds from the start of a process until its libraries are imported, its model is built, and it has trained."""
    begin = time.time()
    words = [sys.executable, __file__, str(begin), "cuda" if cuda else "cpu"]
    lines = run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    for line in lines:
        name, seconds = line.rsplit(" ", 1)
        yield Row(f"after the start of a process: {name}", float(seconds), "s")


def start(begin: float, device: str) -> None:
    """What ``first_step`` starts: prints seconds since ``begin``."""

    def show(name: str) -> None:
        if device == "cuda":
            torch.cuda.synchronize()
        print(name, round(time.time() - begin, 2), flush=True)

    show("libraries")
    chosen = configured(device == "cuda")
    module = student_of(chosen, drawn(), device)
    show("data and model")
    captured = Captured(module, module.model.groups(), chosen, device)
    captured()
    show("first step")
    captured()
    show("second step, captured")


if __name__ == "__main__":
    start(float(sys.argv[1]), sys.argv[2])
