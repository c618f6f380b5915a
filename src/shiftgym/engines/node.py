"""What runs on the nodes of a Ray cluster: the calls of jobs, and questions about a node.

Ray's own processes only wait here. A call runs in a process that a station forks for it, as on one machine, so that it
is fresh, whatever ran before it, and its death is seen as such.
"""

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.reduction import ForkingPickler
from typing import Any

from shiftgym.engines.base import LOST
from shiftgym.engines.station import Place, Start, Station
from shiftgym.errors import ShiftgymError
from shiftgym.gpus import VISIBLE


@dataclass(frozen=True, slots=True)
class Question:
    """A function of a module with its arguments, to be called on a node. It is pickled, since the driver need not have
    the modules of a node, nor a node those of the driver."""

    pickled: bytes
    place: Place

    @classmethod
    def of(cls, ask: Callable[..., Any], args: Sequence[Any]) -> "Question":
        return cls(bytes(ForkingPickler.dumps((ask, tuple(args)))), Place.here())


@dataclass(frozen=True, slots=True)
class Guard:
    """What a node must answer before it has its first job."""

    question: Question
    answered: frozenset[str]
    """Nodes that have answered."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A node that did not answer as it must, so that it has no jobs."""

    node: str
    address: str
    why: str


def answer(question: Question) -> Any:
    """The answer of this node."""
    question.place.enter()
    ask, args = ForkingPickler.loads(question.pickled)
    return ask(*args)


def carry_out(start: Start, guard: Guard | None, imports: tuple[str, ...], gpu: bool) -> int | Refused:
    """Run a call; the exit code of its process. A call that was never begun counts as lost."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    if guard is not None and here not in guard.answered and (why := _refusal(guard.question)):
        return Refused(here, _address(), why)
    if gpu:
        # Ray has set it for this task.
        start = replace(start, environment={**start.environment, VISIBLE: os.environ[VISIBLE]})
    try:
        return _station(imports).run(start)
    except (EOFError, OSError):
        _station.cache_clear()
        return LOST


class Rank:
    """An actor that runs one rank of a job."""

    def meeting(self) -> tuple[str, int]:
        """Where the ranks meet, if this is rank 0: its address, and a port that is free."""
        with socket.socket() as free:
            free.bind(("", 0))
            return _address(), free.getsockname()[1]

    def run(
        self,
        start: Start,
        guard: Guard | None,
        imports: tuple[str, ...],
        gpu: bool,
        rank: int,
        ranks: int,
        meeting: tuple[str, int],
    ) -> int | Refused:
        """Run the call of this rank; its exit code."""
        address, port = meeting
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "MASTER_ADDR": address, "MASTER_PORT": port}
        start = replace(start, environment={name: str(value) for name, value in place.items()})
        return carry_out(start, guard, imports, gpu)


def _address() -> str:
    import ray

    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return address


@cache
def _station(imports: tuple[str, ...]) -> Station:
    return Station(imports)


@cache
def _refusal(question: Question) -> str:
    """Why this node may have no jobs; empty if it may."""
    try:
        answer(question)
    except ShiftgymError as error:
        return str(error)
    return ""
