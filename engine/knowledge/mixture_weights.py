"""Weights of a mixture's models, chosen on validation rows: those of a grid with the best NDCG@10.

Letters: M models, C mixtures, R rows, B rows of a block, n items.
"""

from collections.abc import Mapping
from itertools import combinations
from math import comb

import numpy as np
import torch
from torch import Tensor

from engine.config.settings.knowledge import KnowledgeSettings
from engine.data import ids
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Rows
from engine.errors import DataError
from engine.knowledge.scorers import Scorer
from engine.metrics import ranking
from engine.metrics.selection import cross_fitted
from engine.runs.reporter import counted
from engine.runs.run import Run
from engine.stages import WEIGHTS_OPTIMISM
from engine.student.untrained import RowScores
from engine.teacher.build import TeacherSetup
from engine.teacher.frozen_student import FrozenStudent
from engine.teacher.prompting.spans import heldout_spans

ROWS = 4_000  # validation rows that choose, at most
MIXTURES = 66  # that are compared, at most: tenths for three models
STEPS = 10  # that a whole is divided into, at most


def grid(models: int) -> Tensor:  # -> [C, M]
    """Every division of 1 among M models in equal steps, the finest with at most ``MIXTURES``; at least halves."""
    steps = max([2, *(n for n in range(2, STEPS + 1) if comb(n + models - 1, models - 1) <= MIXTURES)])
    # A division is where M - 1 bars stand among the steps.
    bars = np.array(list(combinations(range(steps + models - 1), models - 1)), dtype=np.int64).reshape(-1, models - 1)
    ends = np.pad(bars, ((0, 0), (1, 1)), constant_values=((0, 0), (-1, steps + models - 1)))
    return torch.from_numpy(np.diff(ends, axis=1) - 1).float() / steps


def sample(rows: Rows, seed: int) -> Rows:
    """The validation rows that choose: at most ``ROWS`` with a history, drawn at random."""
    possible = np.flatnonzero(rows.stop > rows.start)
    if not len(possible):
        raise DataError(
            "no validation row has a history, so none can choose the weights of a mixture",
            location="knowledge.choose_weights",
            remedy="Choose knowledge.choose_weights=false, or data with validation rows.",
        )
    chosen = np.random.default_rng(seed).permutation(possible)[:ROWS]
    return rows.some(np.sort(chosen))


def chosen(
    settings: KnowledgeSettings,
    models: Mapping[str, RowScores],
    rows: Rows,
    items: int,
    run: Run,
    device: str,
) -> dict[str, float]:
    """Model -> its weight; together 1. Of equally good mixtures the first of the grid.

    ``models`` give scores [B, n + 1] of a block of ``rows``. Notes what each model reaches alone, and by how much the
    best mixture looks better on the rows that chose it.
    """
    weights = grid(len(models)).to(device)
    targets = torch.from_numpy(rows.targets.astype(np.int64)).to(device)
    own = rows.items, rows.start, rows.stop
    seen = ranking.on_device(*own, device) if protocol_of(run) else None
    names = settings.models
    ranks = ranking.mixed_ranks([models[name] for name in names], weights, ids.rows(items), targets, None, seen)
    values = ranking.ndcg(ranks, 10).cpu().numpy()  # [C, R]
    means = values.mean(axis=1)
    best, fitted = int(means.argmax()), cross_fitted(values, rows.users)
    alone = {name: float(means[int(weights[:, index].argmax())]) for index, name in enumerate(names)}
    run.note(
        ndcg_alone={name: round(value, 6) for name, value in alone.items()},
        weights_chosen_on=len(rows),
        **({WEIGHTS_OPTIMISM: fitted[1]} if fitted else {}),
    )
    found = dict(zip(names, weights[best].tolist(), strict=True))
    each = ", ".join(f"{name} {weight:.2f} (alone {alone[name]:.4f})" for name, weight in found.items())
    run.log("info", f"weights by ndcg@10 of {len(rows):,} validation rows: {each}; together {means[best]:.4f}")
    return found


def student_scores(students: Mapping[str, FrozenStudent], rows: Rows, run: Run, device: str) -> dict[str, RowScores]:
    """What each student scores the rows."""
    tick = counted(run, "read students", "rows")
    return {
        name: _product(one.after_rows(rows, device, tick).to(device), one.table.to(device), one.bias)
        for name, one in students.items()
    }


def teacher_scores(setup: TeacherSetup, scorer: Scorer, rows: Rows, run: Run) -> RowScores:
    """What a teacher that scores the catalogue scores the rows [R], each of which has a history."""
    tick = counted(run, "ask about the rows that choose weights", "prompts")
    states = setup.student.after_rows(rows, setup.device, tick)
    spans = heldout_spans(rows, setup.settings.history + 1)
    queries = scorer.queries(spans, states, np.arange(len(rows)), tick)[0].to(setup.device)
    return lambda block: scorer.scores(queries[block])


def _product(queries: Tensor, table: Tensor, bias: Tensor | None) -> RowScores:  # [R, W], [n + 1, W]
    return lambda block: ranking.score_items(queries[block], table, bias)
