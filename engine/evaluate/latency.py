"""Time of one request, on the processor and on a GPU: scores of one row and the best ten items."""

import statistics
import time

import numpy as np

from engine.evaluate.measure import best
from engine.evaluate.models import TESTED, Model, Scorer
from engine.stages import request_time


def milliseconds(model: Model, rows: int, requests: int, device: str) -> dict[str, float]:
    """Median times by the column of the metrics table; of a model that is not live those of its own run."""
    if not model.live:
        return model.request_times
    if not requests:
        return {}
    measured = {device: model.scorers[TESTED]}
    if model.on_processor is not None:
        measured["cpu"] = model.on_processor
    return {request_time(where): _median(score, rows, requests) for where, score in measured.items()}


def _median(score: Scorer, rows: int, requests: int) -> float:
    taken = []
    for row in np.linspace(0, rows - 1, num=min(requests, rows), dtype=int).tolist():
        begin = time.perf_counter()
        best(score(slice(row, row + 1)))  # its items are on the host: the device has finished
        taken.append(time.perf_counter() - begin)
    return 1000 * statistics.median(taken)
