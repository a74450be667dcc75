"""A student's graph as an ONNX file, and that file as a function of histories."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import require_packages
from engine.shipping.ranking_graph import INPUTS, OUTPUTS, RankingGraph
from engine.shipping.recurrent_graph import exportable

FILE = "model.onnx"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
Answer = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]  # items, scores [B, K], users [B, D]


def write(path: Path, graph: RankingGraph) -> None:
    """Writes the graph with any number of histories of any length. UserError where a package is missing."""
    require_packages(PACKAGES, "the ONNX format", "onnx")
    example = torch.zeros(3, 7, dtype=torch.int64)
    for row in range(3):  # of several lengths, so that no size is taken for a constant
        example[row, : row + 3] = 1
    with _quiet():
        program = torch.onnx.export(
            exportable(graph.eval()),
            (example,),
            dynamo=True,
            dynamic_shapes={INPUTS[0]: {0: "batch", 1: "length"}},
            input_names=INPUTS,
            output_names=OUTPUTS,
            verbose=False,
        )
    assert program is not None
    program.save(str(path))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that nothing here needs, and on its own old calls."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def read(path: Path) -> Callable[[NDArray[np.int64]], Answer]:  # histories [B, T] ->
    """The file in ONNX Runtime, on the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def answer(history: NDArray[np.int64]) -> Answer:
        items, scores, users = session.run(list(OUTPUTS), {INPUTS[0]: history})
        return items, scores, users

    return answer
