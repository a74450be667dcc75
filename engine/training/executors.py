"""How a step on static tensors is executed: as a replayed CUDA graph, or directly where there is no GPU."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeVar

import torch

from engine.errors import UserError

T = TypeVar("T")


class Executor(Protocol):
    """Calls ``work`` with the effects of a plain call; ``key`` names all that decides which operations it consists of.

    ``work`` reads static tensors, changes them in place, and returns tensors that are valid until the next call.
    """

    def __call__(self, key: Hashable, work: Callable[[], T]) -> T: ...


class DirectExecutor:
    """A processor's stand-in: the first work of a key is done again and again, as a graph does it, by plain calls."""

    def __init__(self) -> None:
        self._first: dict[Hashable, Callable[[], Any]] = {}

    def __call__(self, key: Hashable, work: Callable[[], T]) -> T:
        result: T = self._first.setdefault(key, work)()
        return result


class GraphExecutor:
    """The first call of a key is a plain one, the second is captured as a CUDA graph, and from then on it is replayed.

    So nothing is computed twice: what a first call allocates for good (states of the optimizer, workspaces) is there
    when the second is captured. All graphs share one memory pool, because their results are read before the next runs.
    """

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self._generators = generators
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._known: set[Hashable] = set()
        self._captured: dict[Hashable, tuple[torch.cuda.CUDAGraph, Any]] = {}

    def __call__(self, key: Hashable, work: Callable[[], T]) -> T:
        if key not in self._known:
            self._known.add(key)
            return self._plain(work)
        if key not in self._captured:
            self._captured[key] = self._capture(work)
        graph, found = self._captured[key]
        graph.replay()
        result: T = found
        return result

    def _plain(self, work: Callable[[], T]) -> T:
        # On the stream of the capture: backward passes run where their tensors were first used.
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            found = work()
        torch.cuda.current_stream().wait_stream(self._stream)
        return found

    def _capture(self, work: Callable[[], T]) -> tuple[torch.cuda.CUDAGraph, T]:
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                found = work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise UserError(
                f"a training step could not be captured as a CUDA graph ({error})",
                location="trainer.cuda_graph",
                remedy="Train without: trainer.cuda_graph=false.",
            ) from error
        return graph, found
