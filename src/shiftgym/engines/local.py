"""Jobs as processes on this machine, each with one thread, and with a GPU or a share of one if it asks for it.

Two processes with one thread each do the work of one process with two threads, and stay steady under other load.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from typing import Self

from shiftgym.engines.base import Call, Job, State, Watch
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

    def __init__(self, *, workers: int | None, imports: Sequence[str], gpus: Sequence[Gpu] = ()) -> None:
        self.gpus = gpus
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

    def run(self, jobs: Sequence[Job], watch: Watch) -> dict[str, State]:
        states: dict[str, State] = {job.name: "waiting" for job in jobs}
        running: dict[str, ForkServerProcess] = {}
        slots = _Slots(self.gpus)
        try:
            with _child_environment():
                while True:
                    for name, process in list(running.items()):
                        if not process.is_alive():
                            states[name] = "done" if process.exitcode == 0 else "failed"
                            del running[name]
                            slots.give_back(name)
                    watch(states)
                    for job in jobs:
                        needed = states[job.needs] if job.needs is not None else "done"
                        if states[job.name] == "waiting" and needed in ("failed", "skipped"):
                            states[job.name] = "skipped"
                        ready = states[job.name] == "waiting" and needed == "done" and len(running) < self.workers
                        if ready and slots.take(job):
                            running[job.name] = self._start(job, slots.held.get(job.name))
                            states[job.name] = "running"
                    watch(states)
                    if not running and "waiting" not in states.values():
                        return states
                    wait([process.sentinel for process in running.values()], timeout=POLL)
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.join()

    def _start(self, job: Job, gpu: str | None) -> ForkServerProcess:
        process = self._context.Process(target=_child, args=(job.begin(), gpu), name=job.name)
        process.start()
        return process


class _Slots:
    """Which GPU each running job has, and what is free of each."""

    def __init__(self, gpus: Sequence[Gpu]) -> None:
        self.held: dict[str, str] = {}
        """Name of a job -> its GPU."""
        self._free = {gpu.name: 1.0 for gpu in gpus}
        self._shares: dict[str, float] = {}

    def take(self, job: Job) -> bool:
        """Give a job what it asks for, of the GPU that is least in use; whether there was so much.

        Raises:
            ValueError: there never will be.
        """
        if job.gpus == 0:
            return True
        if not self._free or job.gpus > 1:
            raise ValueError(f"{job.name} asks for {job.gpus:g} of a GPU; there are {len(self._free)} GPUs, one a job")
        gpu = max(self._free, key=self._free.__getitem__)
        if self._free[gpu] + SLACK < job.gpus:
            return False
        self._free[gpu] -= job.gpus
        self.held[job.name], self._shares[job.name] = gpu, job.gpus
        return True

    def give_back(self, name: str) -> None:
        """The job of this name has ended."""
        if name in self.held:
            self._free[self.held.pop(name)] += self._shares.pop(name)


def _child(call: Call, gpu: str | None) -> None:
    if gpu is not None:
        # CUDA reads this when it is initialised, which nothing has done yet.
        os.environ[VISIBLE] = gpu
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its children.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    call.log.parent.mkdir(parents=True, exist_ok=True)
    with call.log.open("a", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    call.work(*call.args)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its children, and two writers in one folder would corrupt it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _child_environment() -> Iterator[None]:
    wanted = ONE_THREAD | FORKED
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
