"""The same work on many jobs."""

import threading
import time

import pytest

from shiftgym.policies.parallel import in_parallel


def test_results_stand_in_the_order_of_the_jobs():
    assert in_parallel(lambda job: (time.sleep(0.01 * (job == 0)), job * job)[1], range(20), 4) == [
        job * job for job in range(20)
    ]
    assert in_parallel(str, [], 4) == []


def test_as_many_at_the_same_time_as_were_asked_for():
    together = threading.Barrier(3)
    in_parallel(lambda _: together.wait(timeout=10), range(6), 3)


def test_the_first_error_ends_it_without_waiting_for_the_rest():
    release = threading.Event()
    begun = []

    def work(job):
        begun.append(job)
        if job == 1:
            raise KeyError(job)
        release.wait(10)

    started = time.monotonic()
    with pytest.raises(KeyError):
        in_parallel(work, range(50), 2)
    assert time.monotonic() - started < 5
    release.set()
    time.sleep(0.05)
    assert set(begun) == {0, 1}
