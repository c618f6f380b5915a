"""Jobs on a Ray cluster. Ray places them and tells what it lost.

Its own retries are off, since a job that starts again has a folder of its own.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from shiftgym.engines.base import Job, State, Watch
from shiftgym.engines.cluster import Node, join, leave, nodes
from shiftgym.engines.group import settled, tell_loss
from shiftgym.engines.node import Guard, Question, Refused, answer
from shiftgym.engines.ready import start_ready
from shiftgym.engines.started import End, Started, needs, start, stop
from shiftgym.engines.station import Place
from shiftgym.errors import ConfigError, ShiftgymError
from shiftgym.gpus import Gpu
from shiftgym.placement import Placement

POLL = 0.5
"""Seconds between two looks at the running jobs, if none ends before."""

REFRESH = 5.0
"""Seconds between two looks for nodes that joined."""

ANSWERING = 600.0
"""Seconds that a node has for an answer, which may take fetching a model from the hub."""


class RayEngine:
    """See `Engine`."""

    threads = 1
    elsewhere = True

    def __init__(self, *, workers: int | None, imports: Sequence[str], placement: Placement, joined: bool) -> None:
        self._asked, self._imports, self._joined = workers, tuple(imports), joined
        self._place = Place.here()
        self._guard: Guard | None = None
        self._refused: dict[str, Refused] = {}
        self.notes: list[str] = []
        self.gpus = cluster_gpus(nodes(), placement)
        self.workers = workers or self._room()

    @classmethod
    def connect(cls, *, workers: int | None, imports: Sequence[str], placement: Placement, address: str | None) -> Self:
        if placement.device.startswith("cuda:"):
            raise ConfigError(f"device {placement.device!r}: Ray chooses the GPU of each job; give cuda, cpu or auto")
        joined = join(address, workers)
        try:
            return cls(workers=workers, imports=imports, placement=placement, joined=joined)
        except BaseException:
            if joined:
                leave()
            raise

    def close(self) -> None:
        if self._joined:
            leave()

    def ask(self, question: Callable[..., Any], *args: Any) -> list[tuple[str, Any]]:
        return [(node.address, answer) for node, answer in _ask(Question.of(question, args), self._usable())]

    def require(self, question: Callable[..., Any], *args: Any) -> list[tuple[str, Any]]:
        asked = Question.of(question, args)
        answers = _ask(asked, self._usable())
        self._guard = Guard(asked, frozenset(node.id for node, _ in answers))
        return [(node.address, answer) for node, answer in answers]

    def run(self, jobs: Sequence[Job], watch: Watch) -> dict[str, State]:
        usable = self._usable()
        for job in jobs:
            check_room(job, usable)
        states: dict[str, State] = {job.name: "waiting" for job in jobs}
        losses: Counter[str] = Counter()
        running: dict[str, Started] = {}
        room, looked, taken = self._room(), time.monotonic(), 0

        def begin(job: Job) -> bool:
            nonlocal taken
            if running and taken + job.ranks > (self._asked or room):
                return False
            running[job.name] = start(
                job, place=self._place, guard=self._guard, imports=self._imports, refused=self._refused
            )
            taken += job.ranks
            return True

        try:
            while True:
                for name, one in list(running.items()):
                    if (end := one.end()) is None:
                        continue
                    del running[name]
                    taken -= one.job.ranks
                    stop([one])
                    losses[name] += end == "lost"
                    states[name] = self._settled(one, end, losses[name])
                watch(states)
                if time.monotonic() - looked > REFRESH:
                    room, looked = self._room(), time.monotonic()
                start_ready(jobs, states, begin)
                watch(states)
                if not running and "waiting" not in states.values():
                    return states
                _look(running)
        finally:
            stop(running.values())

    def _settled(self, one: Started, end: End, losses: int) -> State:
        """The state of a job that has ended; what is to be said of it is in its log."""
        if end == "refused":
            assert one.refused is not None
            if one.refused.node not in self._refused:
                self.notes.append(f"node {one.refused.address} joined later and was not used: {one.refused.why}")
            self._refused[one.refused.node] = one.refused
            tell_loss(one.call.log, f"node {one.refused.address} is not used: {one.refused.why}", losses, again=True)
            return "waiting"
        return settled(one.call.log, one.codes, end, losses=losses, restarts=one.job.restarts, reason=one.loss)

    def _usable(self) -> list[Node]:
        """The nodes that jobs may run on."""
        found = [node for node in nodes() if node.id not in self._refused]
        return [node for node in found if node.cpus >= 1 and (node.gpus or not self.gpus)]

    def _room(self) -> int:
        """How many ranks have room at the same time."""
        return sum(node.gpus if self.gpus else int(node.cpus) for node in self._usable())


def cluster_gpus(found: Sequence[Node], placement: Placement) -> list[Gpu]:
    """The GPUs of these nodes that may be used; none stands for the CPU.

    Raises:
        ConfigError: a GPU is asked for, and they have none; or they have nothing to run jobs on.
    """
    gpus = [Gpu(f"{node.address}/{number}", node.gpu_model, "") for node in found for number in range(node.gpus)]
    there = f"of the {len(found)} nodes of the cluster (`ray status` shows what they have)"
    if placement.device == "cuda" and not gpus:
        raise ConfigError(f"device 'cuda': none {there} has a GPU; give cpu or auto")
    if not any(node.cpus >= 1 for node in found):
        raise ConfigError(f"none {there} gives a CPU to jobs; start nodes with `ray start --address=HOST:PORT`")
    return [] if placement.device == "cpu" else gpus


def check_room(job: Job, found: Sequence[Node]) -> None:
    """ConfigError if no node could ever hold a job, all of its ranks on one node."""
    wanted = {name: amount * job.ranks for name, amount in needs(job).items() if amount}
    given = [{"CPU": node.cpus, "GPU": float(node.gpus), "memory": float(node.memory)} for node in found]
    if any(all(amount <= room[name] for name, amount in wanted.items()) for room in given):
        return
    raise ConfigError(
        f"{job.name} asks for {_in_words(wanted)} on one node, which no node of the cluster has; they have "
        f"{' / '.join(sorted({_in_words(room) for room in given})) or 'none'}"
    )


def _in_words(room: Mapping[str, float]) -> str:
    """Such as `2 CPUs, 1 GPU, 16.0 GB`."""
    parts = [f"{amount:g} {name}{'s' * (amount != 1)}" for name, amount in room.items() if name != "memory" and amount]
    return ", ".join([*parts, *([f"{room['memory'] / 1e9:.1f} GB"] if room.get("memory") else [])])


def _look(running: Mapping[str, Started]) -> None:
    """Wait until a job has ended, or for a moment."""
    import ray

    refs = [ref for one in running.values() for ref in one.waited_for]
    if not refs:
        time.sleep(POLL)
        return
    ready, _ = ray.wait(refs, num_returns=1, timeout=POLL, fetch_local=False)
    if ready:
        # All that have ended by now: there may be thousands.
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
        all_ready = set(ready)
        for one in running.values():
            one.look(all_ready)


def _ask(question: Question, found: Sequence[Node]) -> list[tuple[Node, Any]]:
    """The answer of each of these nodes. One that died in the meantime has none."""
    import ray
    from ray import exceptions
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # The process that answers ends, with whatever it had to import.
    asked = ray.remote(max_calls=1, max_retries=0, num_cpus=0)(answer)
    refs = [
        asked.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(question)
        for node in found
    ]
    answers, lost = [], "it has none"
    for node, ref in zip(found, refs, strict=True):
        try:
            answers.append((node, ray.get(ref, timeout=ANSWERING)))
        except exceptions.GetTimeoutError:
            raise ConfigError(f"node {node.address}: no answer within {ANSWERING:g} seconds") from None
        except exceptions.RayTaskError as error:
            why = str(error.cause) if isinstance(error.cause, ShiftgymError) else str(error).strip().splitlines()[-1]
            raise ConfigError(f"node {node.address}: {why}") from None
        except exceptions.RayError as error:
            lost = str(error).strip().splitlines()[0]
    if not answers:
        raise ConfigError(f"no node of the cluster answers: {lost}")
    return answers
