"""Decode steps that a CUDA device replays.

Launching the kernels of a step one by one takes longer than computing them, up to some hundreds of rows. A captured
step is one launch. It reads and writes the same memory each time, so everything that changes lies in tensors that stay
where they are.
"""

import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

import torch

Step = Callable[[], None]


class Graphs:
    """The captured steps of one model, which share their working memory, since one runs at a time.

    A step is run once as it is before it is captured; that run counts. It tells whether the step waits for the device
    at some point, as a mixture of experts may that is computed expert by expert, or a rotary embedding that depends on
    the longest conversation. Such a model is never captured.
    """

    MOST = 64
    """Captured steps that are kept; the one that was not used for longest makes room for a new one."""

    bytes = 0
    """Working memory of the captured steps."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self._capturable = True
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, key: Hashable, step: Step, times: int) -> None:
        """Run a step so many times.

        Args:
            key: what the step depends on besides the values of the tensors that it reads.
        """
        with torch.cuda.device(self._device):
            for _ in range(times):
                if (graph := self._graphs.pop(key, None)) is not None:
                    graph.replay()
                elif self._capturable and self._first(step):
                    graph = self._capture(step)
                elif not self._capturable:
                    step()
                if graph is not None:
                    self._graphs[key] = graph

    def _first(self, step: Step) -> bool:
        """Run a step that may be captured next; whether it may."""
        self._stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(self._stream), _no_waiting():
                step()
        except RuntimeError as error:
            if "synchronizing CUDA operation" not in str(error):
                raise
            self._capturable = False
        torch.cuda.current_stream().wait_stream(self._stream)
        return self._capturable

    def _capture(self, step: Step) -> torch.cuda.CUDAGraph:
        while len(self._graphs) >= self.MOST:
            del self._graphs[next(iter(self._graphs))]
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the device meanwhile.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            before = torch.cuda.memory_reserved()
            step()
            self.bytes += torch.cuda.memory_reserved() - before
        return graph


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Within: what waits for the device raises a RuntimeError."""
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that it does not find every operation that waits
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(mode)
