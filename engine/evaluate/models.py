"""Scorers of the models that an evaluation ranks: untrained models, stored scores, or a trained student.

Letters: B rows of a block, n items.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from engine.data import ids
from engine.data.sequences import Rows, Sequences
from engine.distill.gain import replaced
from engine.knowledge.held_out import named, weights_in
from engine.knowledge.untrained_part import UntrainedPart
from engine.metrics import grounding
from engine.metrics.ranking import score_items
from engine.runs.read_only import ReadOnlyRun
from engine.runs.run import Run
from engine.runs.run_files import RunFiles
from engine.runs.schema import RunInfo, Summary
from engine.stages import (
    ADAPTER,
    BASELINE,
    BASELINE_AGAIN,
    BLEND,
    BLEND_AGAIN,
    FLOOR,
    ITEMS,
    MODELS,
    ORACLE,
    REFERENCES,
    REFIT_SECONDS,
    REFITS,
    REQUEST_TIMES,
    SEQUENCES,
    TEACHER_HELD_OUT,
    TRAIN_TOKENS,
    TRANSITIONS,
    UNTRAINED,
    VALIDATION,
    Artifact,
)
from engine.student.batches import histories
from engine.student.model import SequenceModel, load_student
from engine.student.refit import with_validation
from engine.student.untrained import RowScores, Untrained, real_titles

Scorer = Callable[[slice], Tensor]  # rows of the block -> [B, n + 1] scores that the caller may change
TESTED = "test"
ORACLE_SPLIT = TESTED  # the only rows whose scores the demo's generator stores


@dataclass(frozen=True)
class Model:
    """A model with its scorers and its training cost."""

    name: str
    scorers: dict[str, Scorer]  # by split; a split without scores is missing
    live: bool  # it scores requests now, so their latency can be measured
    made_by: str = ""  # the run that trained it
    train_seconds: float | None = None
    train_tokens: int | None = None  # where a language model was trained
    request_times: dict[str, float] = field(default_factory=dict)  # as its own run measured them, by column
    about: str = ""  # what it is, where its name does not say it
    on_processor: Scorer | None = None  # of test rows, where the scorers of a student compute on a GPU


@torch.no_grad()
def models(names: list[str], run: Run, splits: dict[str, Rows], items: int, device: str) -> list[Model]:
    """The models of these names; without the oracle where the data knows none, and without titles where it has none."""
    untrained = _untrained(names, run, splits, items, device)
    found = []
    for name in names:
        artifact = MODELS[name]
        if artifact is ORACLE:
            if run.has(ORACLE):
                scorers = {ORACLE_SPLIT: stored_scores(run.input(ORACLE), "scores", device)}
                found.append(Model(name, scorers, live=False))
            continue
        if name in REFERENCES:
            found += untrained.get(name, [])
            continue
        path = run.input(artifact)
        if artifact is TEACHER_HELD_OUT:
            part = UntrainedPart.of(weights_in(path), run.input(SEQUENCES), run.input(ITEMS))
            scorers = {
                split: teacher_scores(path, split, len(rows), device, part.after_rows(rows, device))
                for split, rows in splits.items()
            }
            found.append(_teacher(name, scorers, _maker(run, artifact)))
        else:
            network = load_student(path, device)
            maker = _maker(run, artifact)
            facts = _facts(maker)
            known, seconds = splits, facts.get("train_seconds")
            gain = replaced(facts)
            about = "" if gain is None else f"{BASELINE}: {gain} (distill.choose=better)"
            if name in REFITS:  # validation rows are among what it was trained on
                known, seconds = {TESTED: splits[TESTED]}, facts.get(REFIT_SECONDS)
                again = f"{REFITS[name]}, trained anew on training and validation events for as many epochs"
                about = again if gain is None else f"{BASELINE_AGAIN}, as {REFITS[name]} is the {BASELINE}"
            scorers = {split: student_scores(network, rows, device) for split, rows in known.items()}
            own = student_scores(load_student(path, "cpu"), splits[TESTED], "cpu") if device != "cpu" else None
            found.append(Model(name, scorers, True, maker.name, seconds, about=about, on_processor=own))
    return found


def _teacher(name: str, scorers: dict[str, Scorer], knowledge: Path) -> Model:
    """The teacher of a knowledge run, or the mixture of models that stands in its place."""
    facts = _facts(knowledge)
    cost = {name: facts[name] for name in REQUEST_TIMES if name in facts}
    weights: dict[str, float] = facts.get("models") or {}
    runs: dict[str, str] = facts.get("model_runs") or {}
    maker = knowledge
    if not weights and ADAPTER.stage in RunInfo.read(knowledge).inputs:
        maker = _maker(ReadOnlyRun(knowledge), ADAPTER)
        runs = {name: maker.name}
    parts = [_facts(knowledge.parent / one) for one in runs.values()]  # others train nothing
    known = [part["train_seconds"] for part in parts if "train_seconds" in part]
    seconds = sum(known) if len(known) == len(parts) else None
    tokens = sum(part.get(TRAIN_TOKENS, 0) for part in parts) or None
    about = mixture(weights) if weights else ""
    return Model(name, scorers, False, maker.name, seconds, tokens, request_times=cost, about=about)


def mixture(weights: dict[str, float]) -> str:
    """The models of a mixture in words; their weights where they differ."""
    if len(weights) == 1:
        return next(iter(weights))
    equal = len(set(weights.values())) == 1
    names = [one if equal else f"{one} ({weight:.2g})" for one, weight in weights.items()]
    return f"the mean log-probability of {', '.join(names[:-1])} and {names[-1]}"


def _untrained(names: list[str], run: Run, splits: dict[str, Rows], items: int, device: str) -> dict[str, list[Model]]:
    """The untrained models among these names: one each, and none of those that need titles where no item has one."""
    wanted = [name for name in (*UNTRAINED, BLEND_AGAIN) if name in names]
    made: dict[str, list[Model]] = {}
    if FLOOR in wanted:
        by_count = popularity(Sequences.load(run.input(SEQUENCES)), items, device)
        made[FLOOR] = [Model(FLOOR, dict.fromkeys(splits, by_count), live=True)]
        wanted.remove(FLOOR)
    if not wanted:
        return made
    known = Untrained.load(run.input(SEQUENCES), run.input(ITEMS))
    for name in wanted:
        if name != TRANSITIONS and not known.titled:
            run.log("info", f"no item has a title, so {name} is not ranked")
            continue
        by_item, ranked, about = known.model(name), splits, ""
        if name == BLEND_AGAIN:
            more = with_validation(Sequences.load(run.input(SEQUENCES)), Rows.load(run.input(VALIDATION)))[0]
            by_item, ranked = Untrained(more, real_titles(run.input(ITEMS))).model(BLEND), {TESTED: splits[TESTED]}
            about = f"{BLEND} of training and validation events"
        scorers = {split: by_item.after_rows(rows, device) for split, rows in ranked.items()}
        made[name] = [Model(name, scorers, live=True, about=about)]
    return made


def _maker(run: RunFiles, artifact: Artifact) -> Path:
    """The folder of the run that made an input of this one."""
    return run.folder.parent / run.info.inputs[artifact.stage]


def _facts(folder: Path) -> dict[str, Any]:
    """Facts in the summary of a finished run."""
    summary = Summary.read(folder)
    return summary.facts if summary else {}


def popularity(sequences: Sequences, items: int, device: str) -> Scorer:
    """Every row gets the number of training events of each item."""
    counts = training_counts(sequences, items)
    scores = torch.from_numpy(counts).float().to(device)
    scores[ids.PADDING] = -torch.inf
    return lambda block: scores.repeat(block.stop - block.start, 1)


def training_counts(sequences: Sequences, items: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Training events of every item id [n + 1]."""
    return sequences.counts(ids.rows(items))


def stored_scores(path: Path, key: str, device: str) -> Scorer:
    """Scores [R, n + 1] that an earlier stage stored, read block by block."""

    def score(block: slice) -> Tensor:
        with safe_open(path, "pt") as file:
            scores: Tensor = file.get_slice(key)[block].to(device, torch.float32)
        scores[:, ids.PADDING] = -torch.inf
        return scores

    return score


def teacher_scores(path: Path, split: str, rows: int, device: str, added: RowScores | None = None) -> Scorer:
    """The teacher's scores: its answers to the rows of ``split`` [R, W] times its item table [n + 1, W].

    Answers of a generative teacher are grounded instead: the score falls with the distance to the item's vector.
    ``added``: scores of the models without training in a mixture.
    """
    names = (split, "table", "bias", "items", "popularity", "gamma")
    held = {key: value.to(device, torch.float32) for key, value in named(load_file(path)).items() if key in names}
    users = held[split]
    if len(users) != rows:
        raise ValueError(f"{path} answers {len(users)} {split} rows, but there are {rows}")
    if "items" in held:
        items, popularity, gamma = held["items"], held["popularity"], float(held["gamma"])
        return lambda block: grounding.scores(users[block], items, popularity, gamma)

    def score(block: slice) -> Tensor:
        found = score_items(users[block], held["table"], held.get("bias"))
        return found if added is None else found + added(block)

    return score


def student_scores(network: SequenceModel, rows: Rows, device: str) -> Scorer:
    """A student's scores: the state after the history times the item table."""
    table, bias = network.item_table()

    @torch.no_grad()
    def score(block: slice) -> Tensor:
        history = histories(rows, block, network.max_length).to(device)
        return score_items(network.user_vectors(history), table, bias)

    return score
