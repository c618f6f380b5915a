"""The same work on many jobs, some of them at the same time."""

from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_parallel(work: Callable[[Job], Result], jobs: Sequence[Job], count: int) -> list[Result]:
    """`work` of each job, in the order of the jobs, by up to `count` threads.

    The first exception ends it at once. Jobs that are under way then are not waited for: their threads are daemons, so
    neither an error nor Ctrl-C waits for the answer of a slow endpoint. (A ThreadPoolExecutor would.)
    """
    waiting = deque(enumerate(jobs))
    done: SimpleQueue[tuple[int, Result] | Exception] = SimpleQueue()

    def take_jobs() -> None:
        while True:
            try:
                index, job = waiting.popleft()
            except IndexError:
                return
            try:
                done.put((index, work(job)))
            except Exception as error:  # noqa: BLE001  It is raised again in the thread that waits for the results.
                waiting.clear()
                done.put(error)

    for _ in range(min(count, len(jobs))):
        Thread(target=take_jobs, daemon=True).start()
    results = {}
    try:
        for _ in jobs:
            outcome = done.get()
            if isinstance(outcome, Exception):
                raise outcome
            index, result = outcome
            results[index] = result
    finally:
        waiting.clear()
    return [results[index] for index in range(len(jobs))]
