"""What a distillation step costs beside a baseline step on the same batch, and beside the published computation.

    python tests/benchmarks/distill_step.py [--items 1800] [--users 2000] [--events 15] [--rounds 30] [SETTING ...]

``baseline`` is the student's own step, ``distilled`` the distilled student's, with the settings of conf/: forward,
loss, backward and optimizer over the same batches in turns, the median of each; with distill.last_position the
distilled student's batch also holds the last positions of the same histories; a ratio gives the cost of one position.
``published`` is the ranking loss as the released program computes it, K passes over the catalogue for B rows, against
ours over the same rows: loss and gradient of the scores alone. Processor time, one thread. Prints one JSON object;
exits with 1 when a distillation step takes more than 1.3 baseline steps, or ours is less than 10 times as fast as the
published loop at 10,000 items and 256 rows.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine import config
from engine.data.sequences import Sequences
from engine.distill import losses
from engine.distill.module import DistillModule
from engine.distill.teacher_targets import TeacherTargets
from engine.distill.weights import importance
from engine.knowledge.rankings import Rankings
from engine.student.batches import BatchSampler
from engine.student.model import SequenceModel
from engine.student.module import StudentModule

MOST, FASTER = 1.3, 10.0  # what is promised
ALPHA, BETA = 1.0, 1.0


def world(items: int, users: int, events: int, top: int) -> tuple[Sequences, Rankings, Rankings]:
    """Long-tailed items, histories around ``events``, and an answer to every row and to every end."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.poisson(events, users), 3, None)
    popularity = 1.0 / (np.arange(items) + 20.0)
    chosen = random.choice(items, int(lengths.sum()), p=popularity / popularity.sum()) + 1
    sequences = Sequences(
        chosen.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), np.arange(users)
    )
    return sequences, *answers(sequences, items, top, random)


def answers(sequences: Sequences, items: int, top: int, random: np.random.Generator) -> tuple[Rankings, Rankings]:
    """Rankings of every row and of every end."""

    def of(rows: NDArray[np.int64]) -> Rankings:
        ranked = torch.from_numpy(random.integers(1, items + 1, (len(rows), top)).astype(np.int32))
        distances = torch.from_numpy(np.sort(random.exponential(2.0, (len(rows), top)), axis=1).astype(np.float32))
        return Rankings(torch.from_numpy(rows), ranked, distances)

    return of(np.setdiff1d(np.arange(len(sequences.items)), sequences.offsets[:-1])), of(sequences.offsets[1:])


def timed(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def steps(items: int, users: int, events: int, rounds: int, words: list[str]) -> dict[str, float]:
    """Median milliseconds of a baseline and a distillation step."""
    settings = config.load(words).distill
    student = settings.student
    top = max(settings.ranking.top, settings.kl.top)
    sequences, rankings, last = world(items, users, events, top)
    reach = partial(BatchSampler, sequences, length=student.max_length, batch=student.batch, seed=1, random=True)
    sampler, distill_sampler = reach(), reach(last_position=settings.last_position > 0)
    ps = losses.propensities(torch.from_numpy(np.bincount(sequences.items, minlength=items + 1)), settings.dro.power)
    known = TeacherTargets(rankings, len(sequences.items), top, "cpu")
    last_targets = TeacherTargets(last, len(sequences.items) + 1, top, "cpu") if settings.last_position else None
    vectors = torch.randn(items + 1, 64)
    alone = StudentModule(SequenceModel(items, student), student, sampler)
    model = SequenceModel(items, student)
    distilling = DistillModule(
        model, settings, distill_sampler, known, vectors, ps, report_every=10, last_position=last_targets
    )
    found: dict[str, list[float]] = {"baseline": [], "distilled": []}

    optimizers = {"baseline": alone.configure_optimizers(), "distilled": distilling.configure_optimizers()}

    def step(name: str, number: int) -> None:
        optimizers[name].zero_grad()
        out = alone.training_step(number, 0) if name == "baseline" else distilling.training_step(number, 0)["loss"]
        out.backward()
        optimizers[name].step()

    for number in range(-3, rounds):
        for name, times in found.items():
            seconds = timed(partial(step, name, abs(number)))
            if number >= 0:
                times.append(1000 * seconds)
    own, shown = (sum(len(part(number).items) for number in range(rounds)) for part in (sampler, distill_sampler))
    # Every tenth step also measures each term's share of the gradient: the mean holds that, the median does not.
    return {
        "positions": own,
        "positions_with_ends": shown,
        "baseline_ms": round(statistics.median(found["baseline"]), 2),
        "distilled_ms": round(statistics.median(found["distilled"]), 2),
        "ratio": round(statistics.median(found["distilled"]) / statistics.median(found["baseline"]), 3),
        "ratio_of_means": round(statistics.mean(found["distilled"]) / statistics.mean(found["baseline"]), 3),
        "ratio_per_position": round(
            statistics.median(found["distilled"]) / statistics.median(found["baseline"]) * own / shown, 3
        ),
    }


def published_loop(scores: Tensor, ranked: Tensor, weights: Tensor, negative: Tensor, ps: Tensor) -> Tensor:
    """The ranking loss by the released program's formula: everything anew for each of the K items."""
    total = scores.new_zeros(())
    for k in range(ranked.shape[1]):
        positive = torch.gather(scores, 1, ranked[:, k : k + 1])
        drawn = torch.gather(scores, 1, negative[:, None])
        pair = -torch.log(torch.sigmoid(positive)) - torch.log(1 - torch.sigmoid(drawn))
        sums = torch.exp(ps * scores.square() / BETA).sum(dim=1)
        own = ps[ranked[:, k]]
        old = torch.exp(own * positive[:, 0].square() / BETA)
        new = torch.exp(own * (positive[:, 0] - 1).square() / BETA)
        robust = torch.log(sums - old + new + 1e-24)
        total = total + (weights[:, k] * (pair[:, 0] + ALPHA * robust)).mean()
    return total


def against_published(items: int, rows: int, top: int, rounds: int) -> dict[str, float]:
    """Median milliseconds of the ranking loss and its gradient, variants that give the same value.

    As released the propensities are float64 and so is everything computed with them; ``published_float32`` is the same
    loop spared that.
    """
    draw = torch.Generator().manual_seed(0)
    raw = torch.randn(rows, items, generator=draw)
    ranked = torch.randint(1, items + 1, (rows, top), generator=draw)
    negative = torch.randint(1, items + 1, (rows,), generator=draw)
    distances = torch.rand(rows, top, generator=draw)
    ps = losses.propensities(torch.randint(0, 50, (items + 1,), generator=draw), 0.05)
    padded = F.pad(raw, (1, 0), value=-torch.inf).requires_grad_()
    plain = F.pad(raw, (1, 0)).requires_grad_()  # zero counts as exp(0 * 0) = 1 where the propensity is 0
    weights = importance(padded, ranked, distances, (0.3, 0.5, 0.1))
    kept = ps.float()

    def ours() -> Tensor:
        return losses.ranking_distillation(padded, ranked, weights, negative, alpha=ALPHA, ps=kept, beta=BETA)

    variants: dict[str, Callable[[], Tensor]] = {
        "ours": ours,
        "published": lambda: published_loop(plain, ranked, weights, negative, ps),
        "published_float32": lambda: published_loop(plain, ranked, weights, negative, kept),
    }
    values = [float(variant().detach()) for variant in variants.values()]
    if max(values) - min(values) > 1e-3:
        raise SystemExit(f"the variants do not give the same loss: {values}")
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, variant in variants.items():
            found[name].append(1000 * timed(lambda variant=variant: variant().backward()))  # type: ignore[misc]
    middle = {name: statistics.median(times) for name, times in found.items()}
    return {f"{name}_ms": round(time, 2) for name, time in middle.items()} | {
        "times_as_fast": round(middle["published"] / middle["ours"], 2),
        "times_as_fast_as_in_float32": round(middle["published_float32"] / middle["ours"], 2),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, default=1800)
    options.add_argument("--users", type=int, default=2000)
    options.add_argument("--events", type=int, default=15)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("words", nargs="*", help="settings, as on engine's command line")
    given = options.parse_intermixed_args()
    torch.set_num_threads(1)
    found = {
        "step": steps(given.items, given.users, given.events, given.rounds, given.words),
        "ranking_loss": against_published(10_000, 256, 10, max(3, given.rounds // 6)),
    }
    print(json.dumps(found, indent=2))
    if found["step"]["ratio"] > MOST or found["ranking_loss"]["times_as_fast"] < FASTER:
        sys.exit(1)


if __name__ == "__main__":
    main()
