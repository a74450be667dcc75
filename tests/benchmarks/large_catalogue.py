"""A catalogue of a million items: sampled-softmax training steps and a validation in blocks, with the peak of memory.

    python tests/benchmarks/large_catalogue.py [--items 1000000] [--steps 20] [--rows 512]

Prints one JSON object; exits with 1 when the process ever held more than 8 GB.
"""

import argparse
import json
import resource
import sys
import time

import numpy as np
import torch

from engine import config
from engine.data.sequences import Rows, Sequences
from engine.student.batches import BatchSampler
from engine.student.model import SequenceModel
from engine.student.module import StudentModule
from engine.student.validation import Validation

LIMIT = 8 * 1000**3


def drawn(users: int, items: int, events: int = 60) -> tuple[Sequences, Rows]:
    random = np.random.default_rng(0)
    ids = random.integers(1, items + 1, users * events).astype(np.int32)
    first = np.arange(users) * events
    offsets = np.append(first, users * events)
    return Sequences(ids, offsets, np.arange(users)), Rows(ids, first, first + events - 1, np.arange(users))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--items", type=int, default=1_000_000)
    words.add_argument("--steps", type=int, default=20)
    words.add_argument("--rows", type=int, default=512)
    given = words.parse_args()
    torch.set_num_threads(1)
    settings = config.load(
        ["data=ml-100k", "student=sasrec", "student.loss=sampled-softmax", "student.negatives=2000"]
    ).student
    sequences, rows = drawn(given.rows, given.items)
    sampler = BatchSampler(sequences, length=settings.max_length, batch=settings.batch, seed=1, random=True)
    module = StudentModule(SequenceModel(given.items, settings), settings, sampler)
    optimizer = module.configure_optimizers()
    start = time.process_time()
    for step in range(given.steps):
        loss = module.training_step(step, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    trained = (time.process_time() - start) / given.steps
    module.eval()
    del loss
    start = time.process_time()
    with torch.no_grad():
        Validation(rows, "cpu")(module.model)
    ranked = (time.process_time() - start) / given.rows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    result = {
        "items": given.items,
        "cpu_seconds_per_step": round(trained, 3),
        "positions_per_cpu_second": round(sampler.positions(0) / trained),
        "cpu_milliseconds_per_row_ranked": round(1000 * ranked, 1),
        "peak_gigabytes": round(peak / 1000**3, 2),
    }
    print(json.dumps(result))
    sys.exit(0 if peak <= LIMIT else 1)


if __name__ == "__main__":
    main()
