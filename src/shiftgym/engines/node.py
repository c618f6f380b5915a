"""What runs on the nodes of a Ray cluster: the calls of jobs, and questions about a node.

Ray's own processes only wait here. A call runs in a process that a station forks for it, as on one machine, so that it
is fresh, whatever ran before it, and its death is seen as such.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.reduction import ForkingPickler
from typing import Any

from shiftgym.engines.base import LOST
from shiftgym.engines.group import places
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

    def places(self, ranks: int) -> list[dict[str, str]]:
        """What the environment of each rank is to say, if this is rank 0."""
        return places(ranks, _address())

    def run(
        self,
        start: Start,
        guard: Guard | None,
        imports: tuple[str, ...],
        gpu: bool,
        rank: int,
        places: list[dict[str, str]],
    ) -> int | Refused:
        """Run the call of this rank; its exit code."""
        return carry_out(replace(start, environment=places[rank]), guard, imports, gpu)


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
