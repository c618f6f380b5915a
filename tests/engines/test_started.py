"""How a job on a cluster has ended, from what is known of its ranks."""

import signal
from pathlib import Path

import pytest

from shiftgym.engines.base import LOST, Call, Job
from shiftgym.engines.node import Refused
from shiftgym.engines.started import Started, needs


def started(codes: list[int | None]) -> Started:
    call = Call(print, (), Path("log.txt"))
    return Started(Job("job", lambda: call, ranks=len(codes)), call, refs=[*range(len(codes))], codes=codes)


@pytest.mark.parametrize(
    ("codes", "end"),
    [([0, 0], "done"), ([0, None], None), ([0, -signal.SIGKILL], "lost"), ([1, LOST], "failed"), ([1], "failed")],
)
def test_a_job_has_ended_when_its_ranks_have(codes: list[int | None], end: str | None) -> None:
    assert started(codes).end() == end


def test_a_node_that_refuses_a_job_has_not_begun_it() -> None:
    one = started([1])
    one.refused = Refused("0a", "10.0.0.5", "it has torch 2.9.0")
    assert one.end() == "refused"


def test_a_loss_is_told_as_ray_tells_it_or_by_the_signal() -> None:
    one = started([-signal.SIGABRT])
    assert one.loss == "the process was killed by SIGABRT"
    one.reason = "the node died"
    assert one.loss == "the node died"
    assert started([0, None]).waited_for == [1]


@pytest.mark.parametrize("jobs", [2, 3, 6, 7])
def test_shares_never_exceed_a_gpu(jobs: int) -> None:
    share = needs(Job("job", lambda: Call(print, (), Path("log.txt")), gpus=1 / jobs))["GPU"]
    assert 0.99 < round(share * 10_000) * jobs / 10_000 <= 1
