"""Jobs as processes on this machine, each with one thread.

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

from shiftgym.engines.base import Job, State, Watch

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
"""Read by torch when it is imported, so it must stand in the environment before a child starts. oneDNN caches
code for every matrix shape, which grows to gigabytes where batches have ever new lengths; hence the cap."""

POLL = 0.5
"""Seconds between two checks of the running jobs."""


class LocalEngine:
    """See `Engine`."""

    threads = 1

    def __init__(self, *, workers: int | None, imports: Sequence[str]) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        # Processes are forked, so that modules that take seconds to import are imported once. They are forked from a
        # server that does nothing else, since a fork copies the locks of its parent's threads.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*imports])

    def run(self, jobs: Sequence[Job], watch: Watch) -> dict[str, State]:
        states: dict[str, State] = {job.name: "waiting" for job in jobs}
        running: dict[str, ForkServerProcess] = {}
        try:
            with _one_thread():
                while True:
                    for name, process in list(running.items()):
                        if not process.is_alive():
                            states[name] = "done" if process.exitcode == 0 else "failed"
                            del running[name]
                    for job in jobs:
                        needed = states[job.needs] if job.needs is not None else "done"
                        if states[job.name] == "waiting" and needed in ("failed", "skipped"):
                            states[job.name] = "skipped"
                        if states[job.name] == "waiting" and needed == "done" and len(running) < self.workers:
                            running[job.name] = self._start(job)
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

    def _start(self, job: Job) -> ForkServerProcess:
        process = self._context.Process(target=_child, args=(job,), name=job.name)
        process.start()
        return process


def _child(job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its children.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("a", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    job.work(*job.args)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its children, and two writers in one folder would corrupt it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
