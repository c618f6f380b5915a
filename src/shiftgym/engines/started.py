"""A job on a Ray cluster, from its start until it has ended: a task, or a placement group with an actor a rank."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from shiftgym.engines.base import LOST, Call, Job
from shiftgym.engines.node import Guard, Rank, Refused, carry_out
from shiftgym.engines.station import Place, Start

Verdict = Literal["done", "failed", "lost"]

SHARES = 10_000
"""Ray counts in parts of this size. Shares of a GPU are rounded down to them, or six sixths would not fit on one."""

PATIENCE = 2.0
"""Seconds after the failure of a rank in which the loss of another may show, whose consequence it is."""

ENDING = 10.0
"""Seconds that jobs have to end when they are told to."""


@dataclass(slots=True)
class Started:
    """A job that was started."""

    job: Job
    call: Call
    refs: list[Any]
    """Of each rank, Ray's reference to its exit code."""
    actors: list[Any] = field(default_factory=list)
    group: Any = None
    ended: dict[int, int | Refused] = field(default_factory=dict)
    """Exit codes of the ranks that have ended."""
    reason: str = "its process was killed"
    """What is known of its loss."""
    failed_at: float = math.inf
    """When the first rank failed, by `time.monotonic`."""

    def rank_log(self, rank: int) -> Path:
        """Where a rank prints."""
        return self.call.log if rank == 0 else self.call.log.with_name(f"log-rank-{rank}.txt")

    def look(self, ready: set[Any]) -> None:
        """Take the exit codes of ranks that have ended.

        Args:
            ready: references whose result is there.
        """
        for rank, ref in enumerate(self.refs):
            if rank not in self.ended and ref in ready:
                self.ended[rank] = code = self._code(rank, ref)
                if isinstance(code, int) and code > 0 and not is_loss(code):
                    self.failed_at = min(self.failed_at, time.monotonic())

    def _code(self, rank: int, ref: Any) -> int | Refused:
        import ray
        from ray import exceptions

        lost = (
            exceptions.NodeDiedError,
            exceptions.WorkerCrashedError,
            exceptions.OutOfMemoryError,
            exceptions.RayActorError,  # An actor that died, or whose node does not answer.
            exceptions.LocalRayletDiedError,
            exceptions.ObjectLostError,
        )
        try:
            code: int | Refused = ray.get(ref)
        except lost as error:
            self.reason = str(error).strip().splitlines()[0]
            return LOST
        except exceptions.RayError as error:
            # The node could not even begin the call: shiftgym does not run there, or its log cannot be written.
            append(self.rank_log(rank), str(error))
            return 1
        return code

    def verdict(self) -> "Verdict | Refused | None":
        """How it ended; None while it runs. A node that refused it has not begun it."""
        codes = list(self.ended.values())
        for code in codes:
            if isinstance(code, Refused):
                return code
        if any(isinstance(code, int) and is_loss(code) for code in codes):
            return "lost"
        whole = len(codes) == self.job.ranks
        if any(codes):
            return "failed" if whole or time.monotonic() - self.failed_at > PATIENCE else None
        return "done" if whole else None

    def own_failures(self) -> list[int]:
        """Ranks above 0 that failed by an exception."""
        return [rank for rank, code in self.ended.items() if rank > 0 and isinstance(code, int) and code > 0]


def start(job: Job, *, place: Place, guard: Guard | None, imports: tuple[str, ...], refused: Iterable[str]) -> Started:
    """Start a job. It waits in Ray's queue where there is no room yet.

    Args:
        guard: what a node must answer first.
        imports: modules that nearly every job imports.
        refused: ids of nodes that may not have it.
    """
    from ray.util.placement_group import placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    call, room = job.begin(), needs(job)
    options = {"num_cpus": room["CPU"], "num_gpus": room["GPU"], "memory": room["memory"] or None}
    elsewhere = {"ray.io/node-id": f"!in({','.join(refused)})"} if refused else None
    one = Started(job, call, [])
    starts = [Start.of(call, log=one.rank_log(rank), place=place) for rank in range(job.ranks)]
    common = (guard, imports, job.gpus > 0)
    if job.ranks == 1:
        task = _remote(carry_out).options(max_retries=0, label_selector=elsewhere, **options)
        one.refs = [task.remote(starts[0], *common)]
        return one
    one.group = placement_group(
        [{name: amount for name, amount in room.items() if amount}] * job.ranks,
        strategy="STRICT_PACK",
        bundle_label_selector=[elsewhere] * job.ranks if elsewhere else None,
    )
    for rank in range(job.ranks):
        bundle = PlacementGroupSchedulingStrategy(one.group, placement_group_bundle_index=rank)
        one.actors.append(_remote(Rank).options(scheduling_strategy=bundle, **options).remote())
    # A reference that is an argument is waited for, so nothing waits here.
    meeting = one.actors[0].meeting.remote()
    one.refs = [
        actor.run.remote(starts[rank], *common, rank, job.ranks, meeting) for rank, actor in enumerate(one.actors)
    ]
    return one


@cache
def _remote(what: Any) -> Any:
    """A function or a class for Ray, made once: Ray counts every one that it is given."""
    import ray

    return ray.remote(what)


def end(running: Iterable[Started]) -> None:
    """End what still runs of these jobs, and give back what they hold."""
    import ray
    from ray.util.placement_group import remove_placement_group

    running = list(running)
    for one in running:
        for actor in one.actors:
            ray.kill(actor)
        if one.group is not None:
            remove_placement_group(one.group)
        elif not one.ended:
            ray.cancel(one.refs[0], force=True)
    if refs := [ref for one in running for rank, ref in enumerate(one.refs) if rank not in one.ended]:
        ray.wait(refs, num_returns=len(refs), timeout=ENDING, fetch_local=False)


def needs(job: Job) -> dict[str, float]:
    """What one rank takes, by Ray's names of resources."""
    return {"CPU": job.cpus, "GPU": math.floor(job.gpus * SHARES) / SHARES, "memory": float(job.memory)}


def is_loss(code: int) -> bool:
    """Whether a process with this exit code was lost, and did not fail by itself."""
    return code < 0 or code == LOST


def append(log: Path, text: str) -> None:
    """Add lines to a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write(f"{text.rstrip()}\n")
