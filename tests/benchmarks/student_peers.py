"""Training SASRec beside RecTools' and RePlay's, in one process: positions per CPU-second, and what they are worth.

    python tests/benchmarks/student_peers.py DIR [--rounds 3] [--epochs 4] [--seconds 60]

DIR holds MovieLens-100K's own files. All train the full softmax on the same training sequences (50 items, width 64,
2 blocks, 1 head, dropout 0.2, batches of 128, step size 1e-3) in interleaved rounds of a few epochs; then each trains
anew for as many CPU-seconds and keeps its best validation NDCG@10, seen items hidden. Neither peer is a dependency:
install ``rectools[torch]`` and ``replay-rec[torch]`` to be compared, what is not there is skipped with a message. ours
trains through ``engine.training.fit``, RecTools through ``fit_partial``, RePlay's module through its own Lightning on
ready tensors. Prints one JSON object; exits with 1 when ours is less than twice as fast as a peer, or worse.
"""

import argparse
import importlib.util
import json
import logging
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from engine import config
from engine.config.settings.student import StudentSettings
from engine.data.sequences import Rows, Sequences
from engine.data.stage import run as prepare
from engine.jobs.store import Store
from engine.metrics import ranking
from engine.runs.run import Run
from engine.runs.schema import RunInfo, new_id
from engine.stages import PROFILE, SEQUENCES, VAL_NDCG, VALIDATION
from engine.student.batches import BatchSampler, histories
from engine.student.model import SequenceModel
from engine.student.module import StudentModule
from engine.student.validation import Validation
from engine.training import fit
from engine.training.schedule import schedule

FASTER = 2.0  # what is promised
NOISE = 0.01  # of one training's validation NDCG@10: within it two contestants count as equal


class Contestant(Protocol):
    """Something that trains for some epochs, says what they cost, and can be validated."""

    positions: int  # supervised positions of an epoch

    def train(self, epochs: int) -> float:
        """CPU seconds of training."""

    def validate(self) -> float:
        """NDCG@10 on the validation rows, seen items hidden: now, or the best so far."""


class World:
    """The data all contestants share."""

    def __init__(self, source: str, folder: Path) -> None:
        self.store = Store(folder)
        info = RunInfo(id=new_id("data"), stage="data", experiment="benchmark", seed=1, fingerprint="")
        run = Run(self.store.create(info, "seed: 1\n"))
        prepare(config.load(["data=ml-100k", f"data.path={source}"]), run)
        artifacts = {each.file: run.folder / "artifacts" / each.file for each in (PROFILE, SEQUENCES, VALIDATION)}
        self.items = int(json.loads(artifacts[PROFILE.file].read_text(encoding="utf-8"))["items"])
        self.sequences, self.rows = Sequences.load(artifacts[SEQUENCES.file]), Rows.load(artifacts[VALIDATION.file])


class Ours:
    def __init__(self, world: World, settings: StudentSettings) -> None:
        self.world, self.settings = world, settings
        self.sampler = BatchSampler(
            world.sequences, length=settings.max_length, batch=settings.batch, seed=1,
            random=settings.windows == "random",
        )  # fmt: skip
        self.positions = sum(self.sampler.positions(step) for step in range(self.sampler.per_epoch))
        self.validation = Validation(world.rows, "cpu")
        info = RunInfo(id=new_id("student"), stage="student", experiment="benchmark", seed=1, fingerprint="")
        self.run, self.done, self.spent, self.best = Run(world.store.create(info, "seed: 1\n")), 0, 0.0, 0.0
        torch.manual_seed(1)
        self.module = StudentModule(SequenceModel(world.items, settings), settings, self.sampler)
        self.trainer = config.load(["trainer=cpu"]).trainer

    def train(self, epochs: int) -> float:
        """Goes on from its own checkpoint, as a resumed run does."""
        self.done += epochs * self.sampler.per_epoch
        plan = fit.TrainingPlan(
            steps=self.done, per_epoch=self.sampler.per_epoch, evaluate_every=epochs * self.sampler.per_epoch,
            patience=0, metric=VAL_NDCG.name, rate=schedule("constant", 0, self.done), average=self.settings.average,
        )  # fmt: skip
        state = fit.fit(
            self.module, plan, self.trainer, self.run, groups=self.module.model.groups(),
            evaluate=lambda alive: self.validation(self.module.model, alive), positions=self.sampler.positions,
        )  # fmt: skip
        before, self.spent = self.spent, state.cpu_seconds
        self.best = state.best[VAL_NDCG.name]
        return self.spent - before

    def validate(self) -> float:
        return self.best


class Batches:
    """Left-padded last windows as RePlay wants them, in a new order every epoch."""

    def __init__(self, world: World, length: int, batch: int) -> None:
        self.batch, self.padding = batch, world.items
        parts = np.split(world.sequences.items, world.sequences.offsets[1:-1])
        self.rows = torch.full((len(parts), length + 1), self.padding)
        for row, part in zip(self.rows, parts, strict=True):
            last = torch.from_numpy(part[-length - 1 :].astype(np.int64)) - 1  # its items count from 0
            row[len(row) - len(last) :] = last
        self.positions = int((self.rows[:, :-1] != self.padding).sum())

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for some in torch.randperm(len(self.rows)).split(self.batch):
            history, target = self.rows[some, :-1], self.rows[some, 1:, None]
            real = history != self.padding
            yield {
                "feature_tensors": {"item_id": history},
                "padding_mask": real,
                "positive_labels": target,
                "negative_labels": target,  # the full softmax asks for none, its signature does
                "target_padding_mask": real[:, :, None] & (target != self.padding),
            }


class RePlay:
    def __init__(self, world: World, settings: StudentSettings) -> None:
        import lightning
        from replay.data import FeatureHint, FeatureSource, FeatureType
        from replay.data.nn import TensorFeatureInfo, TensorFeatureSource, TensorSchema
        from replay.nn.lightning.module import LightningModule
        from replay.nn.sequential.sasrec import SasRec

        self.world, self.length = world, settings.max_length
        feature = TensorFeatureInfo(
            "item_id", is_seq=True, feature_type=FeatureType.CATEGORICAL, embedding_dim=settings.hidden,
            padding_value=world.items, cardinality=world.items, feature_hint=FeatureHint.ITEM_ID,
            feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
        )  # fmt: skip
        torch.manual_seed(1)
        self.model = SasRec.from_params(
            TensorSchema([feature]), embedding_dim=settings.hidden, num_heads=settings.heads,
            num_blocks=settings.blocks, max_sequence_length=settings.max_length, dropout=settings.dropout,
        )  # fmt: skip
        self.module, self.lightning = LightningModule(self.model), lightning
        self.batches = Batches(world, settings.max_length, settings.batch)
        self.positions = self.batches.positions

    def train(self, epochs: int) -> float:
        clock = timer(self.lightning.Callback)
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = self.lightning.Trainer(
            accelerator="cpu", max_epochs=epochs, callbacks=[clock], enable_model_summary=False, **quiet
        )
        self.model.train()
        trainer.fit(self.module, self.batches)
        return clock.seconds

    @torch.no_grad()
    def validate(self) -> float:
        self.model.eval()
        rows = self.world.rows
        ids = histories(rows, slice(None), self.length)  # [R, T] padded on the right with 0
        lengths = (ids != 0).sum(dim=1)
        positions = torch.arange(self.length) - (self.length - lengths)[:, None]
        padded = torch.where(positions >= 0, ids.gather(1, positions.clamp(min=0)) - 1, self.world.items)
        scores = self.model(feature_tensors={"item_id": padded}, padding_mask=padded != self.world.items)["logits"]
        scores = torch.cat([scores.new_full((len(scores), 1), -torch.inf), scores], dim=1)
        seen = tuple(torch.from_numpy(part.astype(np.int64)) for part in (rows.items, rows.start, rows.stop))
        targets = torch.from_numpy(rows.targets.astype(np.int64))
        ranks = ranking.target_ranks(scores, targets, ranking.history_pairs(seen, slice(0, len(rows))))
        return float(ranking.ndcg(ranks, 10).mean())


class RecTools:
    def __init__(self, world: World, settings: StudentSettings) -> None:
        import pandas as pd
        import pytorch_lightning as pl
        from rectools import Columns
        from rectools.dataset import Dataset
        from rectools.models import SASRecModel

        sequences = world.sequences
        lengths = np.diff(sequences.offsets)
        events = pd.DataFrame(
            {
                Columns.User: np.repeat(sequences.users, lengths),
                Columns.Item: sequences.items,
                Columns.Weight: 1.0,
                Columns.Datetime: pd.to_datetime(np.arange(len(sequences.items)), unit="s"),
            }
        )
        self.world, self.data, self.columns = world, Dataset.construct(events), Columns
        self.positions = int(np.minimum(lengths - 1, settings.max_length).sum())

        def trainer() -> pl.Trainer:
            quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
            return pl.Trainer(
                accelerator="cpu", max_epochs=1, callbacks=[timer(pl.Callback)], enable_model_summary=False, **quiet
            )  # fmt: skip

        torch.manual_seed(1)
        self.model = SASRecModel(
            n_blocks=settings.blocks, n_heads=settings.heads, n_factors=settings.hidden, dropout_rate=settings.dropout,
            session_max_len=settings.max_length, loss="softmax", lr=settings.learning_rate, batch_size=settings.batch,
            get_trainer_func=trainer, recommend_torch_device="cpu",
        )  # fmt: skip
        self.spent = 0.0

    def train(self, epochs: int) -> float:
        self.model.fit_partial(self.data, min_epochs=epochs, max_epochs=epochs)
        (clock,) = (each for each in self.model.fit_trainer.callbacks if hasattr(each, "seconds"))
        before, self.spent = self.spent, clock.seconds
        return self.spent - before

    def validate(self) -> float:
        rows = self.world.rows
        found = self.model.recommend(users=rows.users, dataset=self.data, k=10, filter_viewed=True)
        target = dict(zip(rows.users.tolist(), rows.targets.tolist(), strict=True))
        hits = found[found[self.columns.Item] == found[self.columns.User].map(target)]
        ranks = torch.from_numpy(hits[self.columns.Rank].to_numpy(dtype=np.float64))
        return float(ranking.ndcg(ranks, 10).sum() / len(rows))


def timer(base: type) -> Any:
    """A callback of either Lightning: CPU seconds between the first and the last step of each epoch, summed."""

    class Timer(base):  # type: ignore[misc]
        seconds, begun = 0.0, 0.0

        def on_train_epoch_start(self, *given: Any) -> None:
            self.begun = time.process_time()

        def on_train_epoch_end(self, *given: Any) -> None:
            self.seconds += time.process_time() - self.begun

    return Timer()


def contestants() -> dict[str, type]:
    """Those that are installed."""
    found: dict[str, type] = {"ours": Ours}
    for name, package, kind in (("rectools", "rectools", RecTools), ("replay", "replay", RePlay)):
        if importlib.util.find_spec(package):
            found[name] = kind
        else:
            print(f"skipped {name}: its package is not installed", file=sys.stderr)
    return found


def best(contestant: Contestant, seconds: float, epochs: int) -> dict[str, float]:
    """The best validation of a training of so many CPU-seconds, validated every few epochs."""
    spent, found = 0.0, 0.0
    while spent < seconds:
        spent += contestant.train(epochs)
        found = max(found, contestant.validate())
    return {"best": round(found, 4), "cpu_seconds": round(spent, 1)}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("data", help="folder of MovieLens-100K: u.data, u.item")
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--epochs", type=int, default=4, help="of a round")
    words.add_argument("--seconds", type=float, default=60.0, help="CPU-seconds of training for quality; 0: none")
    given = words.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    settings = config.load(["data=ml-100k", "student=sasrec"]).student
    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        world = World(given.data, Path(folder))
        there = {name: kind(world, settings) for name, kind in contestants().items()}
        for contestant in there.values():
            contestant.train(1)  # warm-up
        for _ in range(given.rounds):
            for name, contestant in there.items():
                speeds.setdefault(name, []).append(given.epochs * contestant.positions / contestant.train(given.epochs))
        worth = {}
        if given.seconds:
            worth = {name: best(kind(world, settings), given.seconds, 2) for name, kind in contestants().items()}
    ratios = {
        name: round(statistics.median(own / other for own, other in zip(speeds["ours"], found, strict=True)), 2)
        for name, found in speeds.items()
        if name != "ours"
    }
    result = {
        "positions_per_cpu_second": {name: round(statistics.median(found)) for name, found in speeds.items()},
        "ours_over": ratios,
        "val_ndcg@10": worth,
        "rounds": given.rounds,
        "torch": torch.__version__,
    }
    print(json.dumps(result))
    worse = [name for name, found in worth.items() if found["best"] > worth["ours"]["best"] + NOISE]
    sys.exit(0 if all(ratio >= FASTER for ratio in ratios.values()) and not worse else 1)


if __name__ == "__main__":
    main()
