"""A stand-in for a CUDA graph on a CPU: the operators of a run are recorded, and run again on the same memory."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from shiftgym.models.generation.captured import WAITS

WAITING = {
    getattr(torch.ops.aten, name)
    for name in (
        "_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "nonzero_numpy", "masked_select", "bincount",
        "unique_dim", "unique_consecutive", "_unique2", "repeat_interleave", "isin",
    )
}  # fmt: skip
"""Operators whose result the host waits for, or whose shape depends on data."""

INDEXING = {torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_}
"""The same where an index is a mask."""


class Recording(TorchDispatchMode):
    """Records the operators that are run within; one that a device would be waited for raises."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[torch.Tensor] = []
        self._numbers: dict[int, int] = {}
        """Of each tensor that the run made, by its identity, the place in `_made`."""
        self._calls: list[tuple[Any, list[Any], Any, list[tuple[int, int]]]] = []
        """Operator, arguments, their structure, and which of them the run made, by number."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func.overloadpacket
        masked = packet in INDEXING and any(each is not None and each.dtype == torch.bool for each in args[1])
        if packet in WAITING or masked:
            raise RuntimeError(f"called a {WAITS}: {func}")
        leaves, structure = tree_flatten((args, kwargs or {}))
        made = [(at, self._numbers[id(each)]) for at, each in enumerate(leaves) if id(each) in self._numbers]
        self._calls.append((func, leaves, structure, made))
        out = func(*args, **(kwargs or {}))
        for each in _tensors(out):
            self._numbers[id(each)] = len(self._made)
            self._made.append(each)
        return out

    def replay(self) -> None:
        values: list[torch.Tensor] = []
        for func, leaves, structure, made in self._calls:
            for at, number in made:
                leaves[at] = values[number]
            args, kwargs = tree_unflatten(leaves, structure)
            values += _tensors(func(*args, **kwargs))


def _tensors(out: Any) -> list[torch.Tensor]:
    return [each for each in (out if isinstance(out, list | tuple) else [out]) if isinstance(each, torch.Tensor)]


class FakeCuda:
    """Captures steps on a CPU. As on a device, the first run of a step counts and capturing it runs nothing."""

    bytes = 0

    def __init__(self, device: torch.device) -> None:
        self.captures = 0

    def first(self, step: Callable[[], None]) -> None:
        with Recording() as self._recording:
            step()

    def capture(self, step: Callable[[], None]) -> Recording:
        self.captures += 1
        return self._recording
