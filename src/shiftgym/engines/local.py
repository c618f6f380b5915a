"""Jobs as processes on this machine, each with one thread, and with a GPU or a share of one if it asks for it.

Two processes with one thread each do the work of one process with two threads, and stay steady under other load.
"""

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any, Self

from shiftgym.engines.base import Job, State, Watch
from shiftgym.engines.environment import environment
from shiftgym.engines.group import ended, loss_in_words, places, rank_log, settled
from shiftgym.engines.process import carry_out
from shiftgym.engines.ready import start_ready
from shiftgym.errors import ConfigError
from shiftgym.gpus import VISIBLE, Gpu
from shiftgym.placement import Placement

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
"""Read by torch when it is imported, so it must stand in the environment before a child starts. oneDNN caches
code for every matrix shape, which grows to gigabytes where batches have ever new lengths; hence the cap."""

FORKED = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""Has torch ask the driver, and not CUDA, whether there is a GPU: after a fork CUDA is of no use in a child if its
parent initialised it, and the server imports what may ask."""

SLACK = 1e-6
"""By how much the shares of a GPU may exceed it, since thirds do not add up to one."""

POLL = 0.5
"""Seconds between two checks of the running jobs."""


class LocalEngine:
    """See `Engine`."""

    threads = 1
    elsewhere = False

    def __init__(self, *, workers: int | None, imports: Sequence[str], gpus: Sequence[Gpu] = ()) -> None:
        self.gpus = gpus
        self.notes: list[str] = []
        self.workers = workers or len(gpus) or len(os.sched_getaffinity(0))
        # Processes are forked, so that modules that take seconds to import are imported once. They are forked from a
        # server that does nothing else, since a fork copies the locks of its parent's threads.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*imports])

    @classmethod
    def connect(cls, *, workers: int | None, imports: Sequence[str], placement: Placement, address: str | None) -> Self:
        if address is not None:
            raise ConfigError(f"address {address!r}: the engine local has no cluster; choose ray with it")
        return cls(workers=workers, imports=imports, gpus=placement.gpus())

    def ask(self, question: Callable[..., Any], *args: Any) -> list[tuple[str, Any]]:
        return [(socket.gethostname(), question(*args))]

    def require(self, question: Callable[..., Any], *args: Any) -> list[tuple[str, Any]]:
        return self.ask(question, *args)

    def close(self) -> None:
        """There is nothing to let go of."""

    def run(self, jobs: Sequence[Job], watch: Watch) -> dict[str, State]:
        for job in jobs:
            self._check(job)
        states: dict[str, State] = {job.name: "waiting" for job in jobs}
        running: dict[str, _Group] = {}
        slots = _Slots(self.gpus)

        def start(job: Job) -> bool:
            if not (self._has_room(job, running) and slots.take(job)):
                return False
            running[job.name] = _Group(job, self._context, slots.held.get(job.name))
            running[job.name].start()
            return True

        try:
            with environment(ONE_THREAD | FORKED):
                while True:
                    for name, group in list(running.items()):
                        states[name] = group.look()
                        if states[name] != "running":
                            del running[name]
                            slots.give_back(name)
                    watch(states)
                    start_ready(jobs, states, start)
                    watch(states)
                    if not running and "waiting" not in states.values():
                        return states
                    wait([sentinel for group in running.values() for sentinel in group.sentinels()], timeout=POLL)
        finally:
            for group in running.values():
                group.kill()

    def _check(self, job: Job) -> None:
        """
        Raises:
            ConfigError: there will never be so many GPUs.
            ValueError: a rank asks for more than one, or for one where there are none.
        """
        if job.gpus > 1 or (job.gpus and not self.gpus):
            raise ValueError(f"{job.name} asks for {job.gpus:g} of a GPU; there are {len(self.gpus)} GPUs, one a rank")
        if job.gpus and job.ranks > len(self.gpus):
            raise ConfigError(f"{job.name}: ranks = {job.ranks} need a GPU each, and there are {len(self.gpus)} here")

    def _has_room(self, job: Job, running: Mapping[str, "_Group"]) -> bool:
        """Whether there are workers for all ranks of a job; one with more ranks than there are workers runs alone."""
        return not running or sum(group.job.ranks for group in running.values()) + job.ranks <= self.workers


class _Group:
    """A job that runs: a process for each of its ranks, and again when they were lost."""

    def __init__(self, job: Job, context: ForkServerContext, gpus: Sequence[str] | None) -> None:
        self.job = job
        self._context, self._gpus = context, gpus
        self._processes: list[ForkServerProcess] = []
        self._losses = 0

    def start(self) -> None:
        self._call = self.job.begin()
        self._processes = []
        self._bad_since: float | None = None
        for rank, place in enumerate(places(self.job.ranks, "127.0.0.1")):
            # CUDA reads it when it is initialised, which nothing has done yet.
            sees = {VISIBLE: self._gpus[rank]} if self._gpus else {}
            args = (self._call, rank_log(self._call.log, rank), place | sees)
            process = self._context.Process(target=carry_out, args=args, name=self.job.name)
            process.start()
            self._processes.append(process)

    def look(self) -> State:
        """Its state now. If it was lost it is started again, as often as it may be."""
        codes = [process.exitcode for process in self._processes]
        if any(codes) and self._bad_since is None:
            self._bad_since = time.monotonic()
        end = ended(codes, time.monotonic() - (self._bad_since or time.monotonic()))
        if end is None:
            return "running"
        self.kill()
        self._losses += end == "lost"
        reason = loss_in_words(codes)
        state = settled(self._call.log, codes, end, losses=self._losses, restarts=self.job.restarts, reason=reason)
        if state != "waiting":
            return state
        self.start()
        return "running"

    def sentinels(self) -> list[int]:
        """Of the processes that run."""
        return [process.sentinel for process in self._processes if process.exitcode is None]

    def kill(self) -> None:
        """End what still runs; a process that was stopped heeds no other signal."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()


class _Slots:
    """Which GPUs each running job has, and what is free of each."""

    def __init__(self, gpus: Sequence[Gpu]) -> None:
        self.held: dict[str, list[str]] = {}
        """Name of a job -> the GPU of each of its ranks."""
        self._free = {gpu.name: 1.0 for gpu in gpus}
        self._shares: dict[str, float] = {}

    def take(self, job: Job) -> bool:
        """Give each rank of a job what it asks for, of the GPUs that are least in use; whether there was so much."""
        if job.gpus == 0:
            return True
        gpus = sorted(self._free, key=self._free.__getitem__, reverse=True)[: job.ranks]
        if self._free[gpus[-1]] + SLACK < job.gpus:
            return False
        for gpu in gpus:
            self._free[gpu] -= job.gpus
        self.held[job.name], self._shares[job.name] = gpus, job.gpus
        return True

    def give_back(self, name: str) -> None:
        """The job of this name has ended."""
        if name in self.held:
            share = self._shares.pop(name)
            for gpu in self.held.pop(name):
                self._free[gpu] += share
