"""Decode steps that a CUDA device replays.

Launching the kernels of a step one by one takes longer than computing them, up to some hundreds of rows. A captured
step is one launch. It reads and writes the same memory each time, so everything that changes lies in tensors that stay
where they are.
"""

import sys
import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Protocol

import torch

from shiftgym.batching import ran_out_of_memory
from shiftgym.errors import ConfigError

Step = Callable[[], None]

WAITS = "synchronizing CUDA operation"
"""Part of the message of the RuntimeError that torch raises where waiting for the device is forbidden."""


class Replayed(Protocol):
    def replay(self) -> None: ...


class Cuda:
    """Captures steps on one device. They share their working memory, since one runs at a time."""

    bytes = 0
    """Working memory of the captured steps."""
    captures = 0
    """How many steps were captured."""

    def __init__(self, device: torch.device) -> None:
        """
        Raises:
            ConfigError: this is no CUDA device.
        """
        if device.type != "cuda":
            raise ConfigError(f"steps are captured on CUDA alone, and this model is on {device}; give steps 'auto'")
        self._device = device
        self._stream = _stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def first(self, step: Step) -> None:
        """Run a step as it is, as it must be run once before it is captured.

        Raises:
            RuntimeError: the step waits for the device; the message has `WAITS` in it.
        """
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            try:
                with torch.cuda.stream(self._stream), _no_waiting():
                    step()
            finally:
                torch.cuda.current_stream().wait_stream(self._stream)

    def capture(self, step: Step) -> Replayed:
        """Capture a step, which is not run.

        Raises:
            RuntimeError: CUDA does not capture it.
        """
        graph = torch.cuda.CUDAGraph()
        with (
            torch.cuda.device(self._device),
            _mended(self._device, self._pool),
            # With the first graph torch makes tensors that graphs of others write to, such as those of torch.compile.
            # Made in inference mode, they could not be written to outside of it (pytorch issue 166792).
            torch.inference_mode(False),
            # Other threads may use the device meanwhile.
            torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
            torch.inference_mode(),
        ):
            before = torch.cuda.memory_reserved()
            step()
            reserved = torch.cuda.memory_reserved() - before
        self.captures += 1
        self.bytes += reserved
        return graph


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """The stream that steps are captured on: one a device, since the libraries of CUDA keep memory for each stream."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class Graphs:
    """The captured steps of one model.

    The first run of a step tells whether the step waits for the device at some point, as a mixture of experts may that
    is computed expert by expert, or a rotary embedding that depends on the longest conversation. The steps of such a
    model are never captured, nor are those that CUDA cannot capture for another reason.
    """

    MOST = 256
    """Captured steps that are kept; the one that was not used for longest makes room for a new one."""

    def __init__(self, device: Cuda) -> None:
        self.device = device
        self._graphs: dict[Hashable, Replayed] = {}
        self._capturable = True

    def run(self, key: Hashable, step: Step, times: int) -> None:
        """Run a step so many times.

        Args:
            key: what the step depends on besides the values of the tensors that it reads.
        """
        graph = self._graphs.pop(key, None)
        if graph is None and self._capturable and self._first(step):
            times -= 1
            graph = self._capture(step) if times else None
        for _ in range(times):
            step() if graph is None else graph.replay()
        if graph is not None:
            self._graphs[key] = graph
            if len(self._graphs) > self.MOST:
                del self._graphs[next(iter(self._graphs))]

    def _first(self, step: Step) -> bool:
        """Run a step that may be captured next, and which leaves nothing behind where it fails; whether it may."""
        try:
            self.device.first(step)
        except RuntimeError as error:
            if WAITS not in str(error):
                raise
            self._capturable = False
            _tell(f"this model waits for the device in each: {error}")
        return self._capturable

    def _capture(self, step: Step) -> Replayed | None:
        """Capture a step; None if that fails, which leaves nothing behind, since nothing was run."""
        try:
            return self.device.capture(step)
        except RuntimeError as error:
            if ran_out_of_memory(error):
                raise
            self._capturable = False
            _tell(f"CUDA does not capture those of this model: {error}")
            return None


@cache
def _tell(why: str) -> None:
    """Say once on stderr that steps are not captured."""
    print(f"decode steps are launched one by one, since {why}", file=sys.stderr)


@contextmanager
def _mended(device: torch.device, pool: Any) -> Iterator[None]:
    """Within, a capture into this pool may fail. torch would stay on its stream, and could never free memory again,
    since it would wait for the capture to end."""
    with torch.cuda.stream(torch.cuda.current_stream(device)):
        try:
            yield
        except RuntimeError:
            with suppress(RuntimeError):  # it did end
                torch._C._cuda_endAllocateToPool(device.index, pool)
            raise


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
