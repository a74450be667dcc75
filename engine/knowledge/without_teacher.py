"""Knowledge without a teacher: rankings of all training rows by students and models without training, in one go.

Letters: R rows, E events, W width of a query vector, n items.
"""

import json
import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from engine.config import Config
from engine.config.settings.knowledge import KnowledgeSettings
from engine.data.repeated_targets import protocol_of
from engine.data.sequences import Rows, Sequences
from engine.knowledge import blend, mixture_weights
from engine.knowledge.blend import Blend
from engine.knowledge.query_selection import ends_before_tests
from engine.knowledge.rankings import Rankings, seen_before, top_items
from engine.knowledge.untrained_part import UntrainedPart
from engine.knowledge.windows import predicted_events
from engine.metrics import ranking
from engine.runs.reporter import counted
from engine.runs.run import Run, Stopped
from engine.stages import (
    ITEM_VECTORS,
    ITEMS,
    LAST_POSITION,
    PROFILE,
    RANKINGS,
    RANKINGS_REFIT,
    SEQUENCES,
    TEACHER_HELD_OUT,
    TEST_HISTORIES,
    VALIDATION,
    request_time,
)
from engine.student.refit import with_validation
from engine.student.untrained import RowScores
from engine.training import fit

ROWS_AT_ONCE = 1 << 12  # between two looks for a stop request
REQUESTS = 20  # rows predicted one by one to measure the time of a request


def rank(config: Config, run: Run) -> None:
    """Predicts held-out rows, ranks every training row and last position, writes the artifacts."""
    settings, device = config.knowledge, fit.device(config.trainer)
    items = int(json.loads(run.input(PROFILE).read_text(encoding="utf-8"))["items"])
    text = blend.text_vectors(settings, run)
    with run.loading("load models"):
        students = blend.students_of(settings, run, items, device, text)
        weights = blend.names_and_weights(settings)
        untrained = UntrainedPart.of(weights, run.input(SEQUENCES), run.input(ITEMS))
    validation = Rows.load(run.input(VALIDATION))
    if settings.choose_weights:
        rows = mixture_weights.sample(validation, settings.seed)
        scores = mixture_weights.student_scores(students, rows, run, device) | untrained.alone(rows, device)
        weights = mixture_weights.chosen(settings, scores, rows, items, run, device)
        untrained = untrained.weighted(weights)
    blend.note_models(settings, weights, run)
    models = Blend.of(students, weights, items)
    table, bias = models.table.to(device), models.bias
    sequences, test = Sequences.load(run.input(SEQUENCES)), Sequences.load(run.input(TEST_HISTORIES))
    held_out = _held_out(models, untrained, validation, test, run, device)
    rankings = _rankings(settings, models, untrained, sequences, test, run, device)
    for artifact, chosen in zip((RANKINGS, LAST_POSITION), rankings.at_ends(sequences), strict=True):
        with run.output(artifact) as path:
            chosen.save(path)
    if settings.refit:
        more = with_validation(sequences, validation)[0]
        counts = untrained.counted_on(more, run.input(ITEMS))
        with run.output(RANKINGS_REFIT) as path:
            _rankings(settings, models, counts, more, test, run, device).save(path)
    with run.output(ITEM_VECTORS) as path:
        vectors = blend.item_vectors(settings, students, None) if text is None else text
        save_file({"vectors": vectors.contiguous()}, path)
    with run.output(TEACHER_HELD_OUT) as path:
        stored = {"table": table.cpu()} if bias is None else {"table": table.cpu(), "bias": bias.cpu()}
        everything = held_out | stored | untrained.stored
        save_file({name: value.contiguous() for name, value in everything.items()}, path)


def _rankings(
    settings: KnowledgeSettings,
    models: Blend,
    untrained: UntrainedPart,
    sequences: Sequences,
    test: Sequences,
    run: Run,
    device: str,
) -> Rankings:
    """First items and distances of every event that has one before it, and of what follows the last ones."""
    hide_seen = protocol_of(run, settings.hide_seen)
    last = np.concatenate([predicted_events(sequences) - 1, _last_positions(settings, sequences, test)])
    queries = models.after_events(sequences, device, counted(run, "read students", "windows"))
    table, bias = models.table.to(device), models.bias
    added = untrained.after_events(sequences, last, device)
    found = list(_ranked(queries, table, bias, added, sequences, last, hide_seen, settings.top, run))
    return Rankings(torch.from_numpy(last + 1), *(torch.cat([part[index] for part in found]) for index in (0, 1)))


def _held_out(
    models: Blend, untrained: UntrainedPart, validation: Rows, test: Sequences, run: Run, device: str
) -> dict[str, Tensor]:
    """Query vectors of validation rows and test histories; reports the validation metrics and the time of a request."""
    histories = Rows(test.items, test.offsets[:-1], test.offsets[1:], test.users)
    tick = counted(run, "read students", "rows")
    splits = {"validation": validation, "test": histories}
    found = {name: models.after_rows(rows, device, tick) for name, rows in splits.items()}
    targets = torch.from_numpy(validation.targets.astype(np.int64)).to(device)
    own = validation.items, validation.start, validation.stop
    seen = ranking.on_device(*own, device) if protocol_of(run) else None
    queries, table = found["validation"].to(device), models.table.to(device)
    added = untrained.after_rows(validation, device)

    def scores(block: slice) -> Tensor:
        own = ranking.score_items(queries[block], table, models.bias)
        return own if added is None else own + added(block)

    ranks = ranking.ranks_of(scores, len(table), targets, seen)
    run.evaluation(0, ranking.validation_metrics(ranks), best=True)
    taken = []
    for index in range(min(REQUESTS, len(validation))):
        since = time.monotonic()
        row = validation.some(np.array([index]))
        ranking.score_items(models.after_rows(row, device, lambda done, total: None).to(device), table, models.bias)
        if (alone := untrained.after_rows(row, device)) is not None:
            alone(slice(0, 1))
        taken.append(time.monotonic() - since)
    if taken:
        run.note(**{request_time(device): round(1e3 * float(np.median(taken)), 3)})
    return found


def _last_positions(settings: KnowledgeSettings, sequences: Sequences, test: Sequences) -> NDArray[np.int64]:
    """Last events of histories of two or more, except where a test row begins."""
    if not settings.last_position:
        return np.zeros(0, dtype=np.int64)
    last = (sequences.offsets[1:] - 1)[np.diff(sequences.offsets) > 1]
    return np.setdiff1d(last, ends_before_tests(sequences, test))


def _ranked(
    queries: Tensor,
    table: Tensor,
    bias: Tensor | None,
    added: RowScores | None,
    sequences: Sequences,
    last: NDArray[np.int64],
    hide_seen: bool,
    top: int,
    run: Run,
) -> Iterator[tuple[Tensor, Tensor]]:
    """First items and distances of what follows the events ``last`` [R], a stretch of rows at a time."""
    device, since = table.device, time.monotonic()
    run.progress(0, len(last), "rank", unit="rows")
    for start in range(0, len(last), ROWS_AT_ONCE):
        some = last[start : start + ROWS_AT_ONCE]
        seen = seen_before(sequences, some, str(device)) if hide_seen else None
        own = None if added is None else _from(added, start)
        yield top_items(queries[torch.from_numpy(some)].to(device), table, bias, seen, top, own)
        run.progress(start + len(some), len(last), "rank", unit="rows")
        if run.stop_requested and start + len(some) < len(last):
            raise Stopped("stopped while rows were ranked; this knowledge starts over")
    run.note(rows=len(last), rows_per_second=round(len(last) / max(1e-9, time.monotonic() - since), 1))


def _from(scores: RowScores, start: int) -> RowScores:
    """The scores of rows that are counted from the row ``start``."""
    return lambda block: scores(slice(start + block.start, start + block.stop))
