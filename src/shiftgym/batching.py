"""Work in batches that fit into memory: a batch that runs out of it is split in two, and the work goes on.

torch is not imported here, since episodes are played without it too.
"""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from shiftgym.errors import ConfigError

Item = TypeVar("Item")
Found = TypeVar("Found")

SIGNS = ("outofmemoryerror", "out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
"""What errors of torch and of the libraries below it say when there is no memory left, in lower case."""


class Meter(Protocol):
    """What counts the work that is done, and can take it back: a ledger."""

    def snapshot(self) -> Any:
        """What was counted so far."""
        ...

    def restore(self, snapshot: Any) -> None:
        """Forget what was counted since the snapshot."""
        ...


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the machine had no memory left."""
    said = f"{type(error).__name__}: {error}".lower()
    told = isinstance(error, RuntimeError) and any(sign in said for sign in SIGNS)
    return told or isinstance(error, MemoryError)


def within_memory(work: Callable[[], Found], meter: Meter | None = None) -> Found | None:
    """What `work` returns; None if it ran out of memory. Then what it held is freed, and nothing of it is counted.

    Args:
        meter: what `work` counts itself with.
    """
    before = meter.snapshot() if meter is not None else None
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
    # Only here, since the error held on to everything that its frames did.
    if meter is not None:
        meter.restore(before)
    free()
    return None


SPARE: list[Callable[[], None]] = []
"""Each gives back memory that is only kept to save time."""


def free() -> None:
    """Give back what nothing refers to any more, and what can be spared."""
    for give_back in SPARE:
        give_back()
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


@contextmanager
def needing_memory(told: str) -> Iterator[None]:
    """Within: work that cannot be split.

    Args:
        told: what does not fit and what would help.

    Raises:
        ConfigError: it ran out of memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        raise ConfigError(f"out of memory: {told}") from None


@dataclass(slots=True)
class BatchLimit:
    """How much is done at the same time. It is lowered, for good, where that was too much."""

    size: int | None = None
    """Most items of a batch; None: all there are."""
    halved: bool = False
    """Whether a batch ran out of memory."""

    def lower(self, size: int | None) -> None:
        """Let batches have no more than so many items; None: any number."""
        if size is not None:
            self.size = size if self.size is None else min(self.size, size)

    def halve(self, failed: int, told: str) -> None:
        """Make batches half as large as one that ran out of memory.

        Args:
            failed: its items.
            told: what does not fit and what would help, if it was one alone.

        Raises:
            ConfigError: it cannot be split.
        """
        if failed <= 1:
            raise ConfigError(f"out of memory: {told}")
        self.lower((failed + 1) // 2)
        self.halved = True

    def record(self) -> int | None:
        """The size, if memory decided it: what a run that is resumed begins with."""
        return self.size if self.halved else None

    def run(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], Sequence[Found]],
        *,
        told: str,
        meter: Meter | None = None,
    ) -> list[Found]:
        """What `work` finds for each item, in batches that fit into memory.

        Args:
            work: finds something for each of some items. What it finds for one may not depend on the others.
            told, meter: see `halve` and `within_memory`.

        Raises:
            ConfigError: one item alone does not fit.
        """
        found: list[Found] = []
        while len(found) < len(items):
            batch = items[len(found) :][: self.size]
            results = within_memory(lambda batch=batch: work(batch), meter)  # type: ignore[misc]
            if results is None:
                self.halve(len(batch), told)
            else:
                found += results
        return found
