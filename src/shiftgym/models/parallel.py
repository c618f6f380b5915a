"""Processes that carry out one branch together: its ranks.

All ranks run the same code on the same data. Where work can be dealt, each does its share of it and all get the results
of all, so whoever asks for the work need not know of ranks. What is random is named by what it answers and not by rank,
so the number of ranks changes results by rounding alone.

The processes find each other by torch's usual environment (`RANK`, `WORLD_SIZE`, `MASTER_ADDR`, `MASTER_PORT`). Each
sees one device.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from shiftgym.batching import Meter, ran_out_of_memory
from shiftgym.errors import ConfigError, DataError, ShiftgymError, TrainingStopped

Item = TypeVar("Item")
Found = TypeVar("Found")

PATIENCE = timedelta(minutes=30)
"""How long ranks wait for each other. One may play longer episodes than another, so it is longer than an iteration."""

CONNECTION = (
    "by peer", "connection closed", "connection refused", "connectfullmesh failed", "socket closed", "broken pipe",
    "timed out waiting", "wait timeout", "pair closure", "closed the connection", "socket timeout",
)  # fmt: skip
"""What gloo and the store of a process group say when another process is gone, in lower case."""

KINDS = (ConfigError, DataError, TrainingStopped, ShiftgymError)
"""As what an error of one rank is raised on all."""


class Counter(Meter, Protocol):
    """A meter that can be told what others have counted."""

    def since(self, snapshot: Any) -> Sequence[int]:
        """How much of each kind was counted since the snapshot."""
        ...

    def add(self, counted: Sequence[int]) -> None:
        """Count what another rank has counted."""
        ...


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes of a branch, as one of them sees them."""

    rank: int
    """The number of this process, from 0."""
    count: int
    """How many processes there are."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """The device of this process. Weights that are sharded lie there."""

    @classmethod
    def joined(cls, device: str | torch.device, patience: timedelta = PATIENCE) -> "Ranks":
        """Join the process group that the environment names; `ALONE` if there is none.

        Args:
            device: what this process computes on. A GPU without a number is the one of `LOCAL_RANK` among those that
                this process sees, as under torchrun, which may be one.
            patience: how long ranks wait for each other before they give up.
        """
        place, count = torch.device(device), int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return ALONE
        if place.type == "cuda":
            number = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
            place = torch.device("cuda", number if place.index is None else place.index)
            torch.cuda.set_device(place)
        # Objects and flags go by gloo, also beside GPUs.
        backend = "gloo" if place.type == "cpu" else f"cpu:gloo,{place.type}:nccl"
        if not dist.is_initialized():
            dist.init_process_group(backend, timeout=patience)
        return cls(dist.get_rank(), dist.get_world_size(), place)

    def leave(self) -> None:
        """End the process group, when all ranks are done."""
        if not self.alone:
            self.wait()
            dist.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this is the rank that writes files."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there are no other processes."""
        return self.count == 1

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items that are this rank's work."""
        return items[self.rank :: self.count]

    def spread(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], Sequence[Found]],
        meter: Counter | None = None,
    ) -> list[Found]:
        """What `work` finds for each item, each rank working on its share. All ranks call this with the same items, and
        get the same.

        Args:
            work: finds something that can be pickled for each of some items, maybe none. What it finds for one may not
                depend on the others. It may not wait for other ranks, since they may have less to do.
            meter: what `work` counts with. Afterwards it holds what all ranks have counted.

        Raises:
            ShiftgymError: one rank raised it; all raise the same.
        """
        if self.alone:
            return list(work(items))
        before = meter.snapshot() if meter is not None else None
        found: Sequence[Found] = []
        error: tuple[type[ShiftgymError], str] | None = None
        try:
            found = work(self.share(items))
        except ShiftgymError as raised:
            error = next(kind for kind in KINDS if isinstance(raised, kind)), str(raised)
        counted = meter.since(before) if meter is not None else ()
        told = self.exchanged((found, error, counted))
        if meter is not None:
            meter.restore(before)
            for _, _, more in told:
                meter.add(more)
        for _, raised_there, _ in told:
            if raised_there is not None:
                kind, message = raised_there
                raise kind(message)
        results: list[Any] = [None] * len(items)
        for rank, (found, _, _) in enumerate(told):
            results[rank :: self.count] = found
        return results

    def add_up(self, meter: Counter, before: Any) -> None:
        """Let a meter of every rank hold what all ranks have counted since the snapshot `before`."""
        if not self.alone:
            counted = meter.since(before)
            meter.restore(before)
            for more in self.exchanged(counted):
                meter.add(more)

    def exchanged(self, value: Found) -> list[Found]:
        """What every rank gives here, by rank. It is pickled."""
        if self.alone:
            return [value]
        gathered: list[Any] = [None] * self.count
        dist.all_gather_object(gathered, value)
        return gathered

    def agree(self, flag: bool) -> bool:
        """Whether the flag is true on any rank."""
        if self.alone:
            return flag
        told = torch.tensor(float(flag))
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return bool(told)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over ranks of a tensor (...,) of the same shape on each, in place; on all ranks the same bits."""
        if not self.alone:
            dist.all_reduce(tensor)
        return tensor

    def wait(self) -> None:
        """Wait until all ranks are here, such as until the first has written a file that all read."""
        if not self.alone:
            self.agree(False)


ALONE = Ranks(0, 1)
"""A process without others."""


def lost_peer(error: BaseException) -> bool:
    """Whether an error says that the process group broke, since another rank is gone or did not come in time. Then it
    is to be raised as `PeerLost`. NCCL may also have run out of memory, which would happen again."""
    if ran_out_of_memory(error):
        return False
    if isinstance(error, dist.DistBackendError | dist.DistNetworkError | dist.DistStoreError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in CONNECTION)
