"""A job on a Ray cluster, from its start until it has ended: a task, or a placement group with an actor a rank."""

import math
import signal
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from shiftgym.engines.base import Call, Job
from shiftgym.engines.group import ended, loss_in_words, rank_log
from shiftgym.engines.node import Guard, Rank, Refused, carry_out
from shiftgym.engines.station import Place, Start

SHARES = 10_000
"""Ray counts in parts of this size. Shares of a GPU are rounded down to them, or six sixths would not fit on one."""

ENDING = 10.0
"""Seconds that jobs have to end when they are told to."""

End = Literal["done", "failed", "lost", "refused"]
"""`refused`: its node did not begin it."""


@dataclass(slots=True)
class Started:
    """A job that was started."""

    job: Job
    call: Call
    refs: list[Any] = field(default_factory=list)
    """Of each rank, Ray's reference to its exit code."""
    actors: list[Any] = field(default_factory=list)
    """Of each rank, if there are several."""
    group: Any = None
    """Where they are placed."""
    codes: list[int | None] = field(default_factory=list)
    """Of each rank, its exit code; None while it runs. One that Ray has lost counts as killed."""
    reason: str = ""
    """What Ray tells of a loss."""
    refused: Refused | None = None
    """Why its node did not begin it."""
    bad_since: float | None = None
    """When a rank was first seen to have ended badly, by `time.monotonic`."""

    @property
    def waited_for(self) -> list[Any]:
        """References whose result is still to come."""
        return [ref for ref, code in zip(self.refs, self.codes, strict=True) if code is None]

    @property
    def loss(self) -> str:
        """Why it was lost."""
        return self.reason or loss_in_words(self.codes)

    def look(self, ready: Collection[Any]) -> None:
        """Take the exit codes of the ranks whose references are in `ready`."""
        for rank, ref in enumerate(self.refs):
            if self.codes[rank] is None and ref in ready:
                self.codes[rank] = self._code(rank, ref)
        if any(self.codes) and self.bad_since is None:
            self.bad_since = time.monotonic()

    def end(self) -> End | None:
        """How it has ended; None while it runs."""
        if self.refused is not None:
            return "refused"
        return ended(self.codes, 0.0 if self.bad_since is None else time.monotonic() - self.bad_since)

    def _code(self, rank: int, ref: Any) -> int:
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
            return -signal.SIGKILL
        except exceptions.RayError as error:
            # The node could not even begin the call: shiftgym does not run there, or its log cannot be written.
            log = rank_log(self.call.log, rank)
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as out:
                out.write(f"{str(error).rstrip()}\n")
            return 1
        if isinstance(code, Refused):
            self.refused = code
            return 1
        return code


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
    one = Started(job, call, codes=[None] * job.ranks)
    starts = [Start.of(call, log=rank_log(call.log, rank), place=place) for rank in range(job.ranks)]
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
    # A reference that is an argument is waited for there, so that nothing waits here.
    places = one.actors[0].places.remote(job.ranks)
    one.refs = [actor.run.remote(starts[rank], *common, rank, places) for rank, actor in enumerate(one.actors)]
    return one


def stop(running: Iterable[Started]) -> None:
    """End what still runs of these jobs, and give back what they hold."""
    import ray
    from ray.util.placement_group import remove_placement_group

    running = list(running)
    for one in running:
        for actor in one.actors:
            ray.kill(actor)
        if one.group is not None:
            remove_placement_group(one.group)
        for ref in [] if one.actors else one.waited_for:
            ray.cancel(ref, force=True)
    if refs := [ref for one in running for ref in one.waited_for]:
        ray.wait(refs, num_returns=len(refs), timeout=ENDING, fetch_local=False)


def needs(job: Job) -> dict[str, float]:
    """What one rank takes, by Ray's names of resources."""
    return {"CPU": job.cpus, "GPU": math.floor(job.gpus * SHARES) / SHARES, "memory": float(job.memory)}


@cache
def _remote(what: Any) -> Any:
    """A function or a class for Ray, made once: Ray counts every one that it is given."""
    import ray

    return ray.remote(what)
