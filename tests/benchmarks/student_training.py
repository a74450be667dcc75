"""Supervised positions per CPU-second of training SASRec, beside plain PyTorch, in interleaved rounds.

    python tests/benchmarks/student_training.py [--rounds 5] [--steps 24] [--length 50]

``ours`` is ``engine.training.fit`` as a run uses it; ``loop`` is the same model and loss in a bare loop, so their ratio
is what Lightning and reporting cost; ``plain`` is the same network written the usual way: padded batches, nn.Dropout,
``scaled_dot_product_attention``, all scores at once into ``F.cross_entropy``, AdamW. Before anything is timed, plain
and ours must give the same loss for the same weights. Histories are drawn with the lengths of MovieLens-100K.
Prints one JSON object; exits with 1 when ours is less than 1.7 times plain, or fit costs more than 10 %.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine import config
from engine.config.settings.student import StudentSettings
from engine.data.sequences import Sequences
from engine.jobs.store import Store
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id
from engine.stages import VAL_NDCG
from engine.student.batches import BatchSampler
from engine.student.model import SequenceModel
from engine.student.module import StudentModule
from engine.student.sasrec import SASRec
from engine.training import fit
from engine.training.schedule import schedule

ITEMS = 1682
FASTER, OVERHEAD = 1.7, 1.10  # what is promised


def drawn(users: int = 943) -> Sequences:
    """Log-normal lengths around a median of 65 events, at least 18, as in MovieLens-100K; long-tailed items."""
    random = np.random.default_rng(0)
    lengths = np.clip(np.exp(random.normal(np.log(65), 0.95, users)), 18, 735).astype(np.int64)
    popularity = 1.0 / (np.arange(ITEMS) + 20.0)
    items = random.choice(ITEMS, int(lengths.sum()), p=popularity / popularity.sum()) + 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Sequences(items.astype(np.int32), offsets.astype(np.int64), np.arange(users))


class PlainBlock(nn.Module):
    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention, self.norm_feed = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.qkv, self.mix = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.wide, self.narrow = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:  # [B, T, D]
        q, k, v = self.qkv(self.norm_attention(x))[:, None].chunk(3, dim=-1)
        x = x + self.dropout(self.mix(F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, 0]))
        inner = self.dropout(F.relu(self.wide(self.norm_feed(x))))
        return x + self.dropout(self.narrow(inner))


class Plain(nn.Module):
    """The same network as anyone would write it."""

    def __init__(self, settings: StudentSettings) -> None:
        super().__init__()
        self.table = nn.Embedding(ITEMS + 1, settings.hidden, padding_idx=0)
        self.positions = nn.Embedding(settings.max_length, settings.hidden)
        self.dropout = nn.Dropout(settings.dropout)
        self.blocks = nn.ModuleList(PlainBlock(settings.hidden, settings.dropout) for _ in range(settings.blocks or 0))
        self.last_norm = nn.LayerNorm(settings.hidden)

    def loss(self, history: Tensor, targets: Tensor) -> Tensor:  # [B, T] item ids, right-padded
        x = self.dropout(self.table(history) + self.positions.weight[: history.shape[1]])
        for block in self.blocks:
            x = block(x)
        scores = self.last_norm(x) @ self.table.weight.T  # [B, T, n + 1]
        scores[..., 0] = -torch.inf
        return F.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=0)

    def copy(self, other: SASRec) -> None:
        state = {name.replace(".feed.", "."): value for name, value in other.state_dict().items()}
        state["table.weight"], state["positions.weight"] = state.pop("table"), state.pop("positions")
        self.load_state_dict(state)


def padded(sampler: BatchSampler, step: int) -> tuple[Tensor, Tensor]:
    batch = sampler(step)
    history, targets = (batch.packed.grid(ids[:, None])[:, :, 0] for ids in (batch.items, batch.targets))
    return history, targets


class Round:
    """The contestants, each with its own model; every call trains some steps and gives positions per CPU-second."""

    def __init__(self, sequences: Sequences, settings: StudentSettings, folder: Path) -> None:
        self.settings, self.sequences, self.store = settings, sequences, Store(folder)
        self.trainer = config.load(["trainer=cpu"]).trainer
        self.sampler = BatchSampler(sequences, length=settings.max_length, batch=settings.batch, seed=1, random=True)
        torch.manual_seed(1)
        self.module = StudentModule(SequenceModel(ITEMS, settings), settings, self.sampler)
        self.plain_model = Plain(settings)
        assert isinstance(self.module.model.network, SASRec)
        self.plain_model.copy(self.module.model.network)
        self.module.eval(), self.plain_model.eval()
        own, other = self.module.loss(self.sampler(0)).item(), self.plain_model.loss(*padded(self.sampler, 0)).item()
        if abs(own - other) > 1e-4:
            raise SystemExit(f"the two models are not the same: loss {own} and {other}")
        self.optimizer = self.module.configure_optimizers()
        self.plain_optimizer = torch.optim.AdamW(
            self.plain_model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.module.train(), self.plain_model.train()

    def ours(self, steps: int) -> float:
        info = RunInfo(id=new_id("student"), stage="student", experiment="benchmark", seed=1, fingerprint="")
        plan = fit.TrainingPlan(
            steps=steps, per_epoch=self.sampler.per_epoch, evaluate_every=steps, patience=0, metric=VAL_NDCG.name,
            rate=schedule("constant", 0, steps),
        )  # fmt: skip
        module = StudentModule(SequenceModel(ITEMS, self.settings), self.settings, self.sampler)
        state = fit.fit(
            module, plan, self.trainer, Run(self.store.create(info, "seed: 1\n")), groups=module.model.groups(),
            evaluate=lambda alive: {VAL_NDCG.name: 0.0}, positions=self.sampler.positions,
        )  # fmt: skip
        return state.positions / state.cpu_seconds

    def loop(self, steps: int) -> float:
        start, positions = time.process_time(), 0
        for step in range(steps):
            loss = self.module.training_step(step, step)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            positions += self.sampler.positions(step)
        return positions / (time.process_time() - start)

    def plain(self, steps: int) -> float:
        start, positions = time.process_time(), 0
        for step in range(steps):
            loss = self.plain_model.loss(*padded(self.sampler, step))
            self.plain_optimizer.zero_grad()
            loss.backward()
            self.plain_optimizer.step()
            positions += self.sampler.positions(step)
        return positions / (time.process_time() - start)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--steps", type=int, default=24)
    words.add_argument("--length", type=int, default=50)
    given = words.parse_args()
    torch.set_num_threads(1)
    settings = config.load(["data=ml-100k", "student=sasrec", f"student.max_length={given.length}"]).student
    speeds: dict[str, list[float]] = {"ours": [], "loop": [], "plain": []}
    with tempfile.TemporaryDirectory() as folder:
        bench = Round(drawn(), settings, Path(folder))
        for contestant in speeds:
            getattr(bench, contestant)(3)  # warm-up
        for _ in range(given.rounds):
            for contestant, found in speeds.items():
                found.append(getattr(bench, contestant)(given.steps))
    # Medians of ratios within a round: the machine's mood is the same for both sides.
    ratio = statistics.median(own / other for own, other in zip(speeds["ours"], speeds["plain"], strict=True))
    cost = statistics.median(bare / own for own, bare in zip(speeds["ours"], speeds["loop"], strict=True))
    result = {
        "positions_per_cpu_second": {name: round(statistics.median(found)) for name, found in speeds.items()},
        "ours_over_plain": round(ratio, 2),
        "loop_over_ours": round(cost, 3),
        "rounds": given.rounds,
        "torch": torch.__version__,
    }
    print(json.dumps(result))
    sys.exit(0 if ratio >= FASTER and cost <= OVERHEAD else 1)


if __name__ == "__main__":
    main()
