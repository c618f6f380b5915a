"""A stand-in for a CUDA graph on a CPU: the operators of a run are recorded, and run again on the same memory."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from shiftgym.models.captured import WAITS

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
    """Records the operators that are run within; what a device would wait for raises."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[int, int] = {}
        self._kept: list[Any] = []
        self._calls: list[tuple[Any, Any, Any, list[int]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func.overloadpacket
        masked = packet in INDEXING and any(each is not None and each.dtype == torch.bool for each in args[1])
        if packet in WAITING or masked:
            raise RuntimeError(f"called a {WAITS}: {func}")
        out = func(*args, **(kwargs or {}))
        known = tree_map(self._name, (args, kwargs or {}))
        outputs = [each for each in tree_flatten(out)[0] if isinstance(each, torch.Tensor)]
        names = []
        for each in outputs:
            names.append(len(self._kept))
            self._made[id(each)] = names[-1]
            self._kept.append(each)
        self._calls.append((func, *known, names))
        return out

    def _name(self, value: Any) -> Any:
        """What a run made is known by its number; all else stays the very tensor."""
        return _Made(self._made[id(value)]) if id(value) in self._made else value

    def replay(self) -> None:
        values: dict[int, torch.Tensor] = {}
        for func, args, kwargs, names in self._calls:
            args, kwargs = tree_map(lambda each: values[each.number] if type(each) is _Made else each, (args, kwargs))
            out = func(*args, **kwargs)
            made = [each for each in tree_flatten(out)[0] if isinstance(each, torch.Tensor)]
            values.update(zip(names, made, strict=True))


class _Made:
    def __init__(self, number: int) -> None:
        self.number = number


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
