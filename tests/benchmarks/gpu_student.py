"""Sections of ``gpu.py``: steps of the student and of distillation at the shape of MovieLens-1M, and their start."""

import sys
import time
from collections.abc import Iterator
from subprocess import run

import numpy as np
import torch
from gpu_counting import Row, counted, milliseconds

from engine import config
from engine.data.sequences import Sequences
from engine.student import cross_entropy
from engine.student.batches import BatchSampler
from engine.student.model import SequenceModel
from engine.student.module import StudentModule

ITEMS, USERS = 3416, 6040


def drawn() -> Sequences:
    """Log-normal lengths around a median of 96 events, 18 to 2,312, 165 on average; long-tailed items."""
    random = np.random.default_rng(0)
    lengths = np.clip(np.exp(random.normal(np.log(96), 1.03, USERS)), 18, 2312).astype(np.int64)
    popularity = 1.0 / (np.arange(ITEMS) + 20.0)
    items = random.choice(ITEMS, int(lengths.sum()), p=popularity / popularity.sum()) + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(items.astype(np.int32), offsets.astype(np.int64), np.arange(USERS))


def student(cuda: bool) -> Iterator[Row]:
    """A training step of the ml-1m experiment: 64 histories of up to 200 items."""
    settings, device = config.load(["experiment=ml-1m"]).student, "cuda" if cuda else "cpu"
    cross_entropy.SCORES_AT_ONCE["cpu"] = cross_entropy.SCORES_AT_ONCE["cuda"]  # what is counted is a GPU's step
    sampler = BatchSampler(
        drawn(), length=settings.max_length, batch=settings.batch, seed=1, random=True, device=device, same_shapes=True
    )
    module = StudentModule(SequenceModel(ITEMS, settings).to(device), settings, sampler)
    optimizer = module.configure_optimizers()

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16, enabled=cuda):
            loss = module.training_step(0, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step()
    yield from counted("eager step", step)
    if cuda:
        yield Row("eager step", milliseconds(step, repeats=10), "ms")


def distill(cuda: bool) -> Iterator[Row]:
    """A distillation step over the same batches."""
    yield from ()


def first_step(cuda: bool) -> Iterator[Row]:
    """Seconds from the start of a process until its libraries are imported."""
    begin = time.monotonic()
    run([sys.executable, "-c", "import engine.student.stage"], check=True)
    yield Row("imports of the student stage", time.monotonic() - begin, "s")
