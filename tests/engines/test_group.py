"""How the ranks of a job find one another, and what their exit codes mean."""

import signal
import socket
from pathlib import Path

import pytest

from shiftgym.engines.base import LOST
from shiftgym.engines.group import (
    GRACE,
    PLACE,
    PORTS,
    ended,
    free_port,
    gather_logs,
    loss_in_words,
    places,
    rank_log,
    settled,
    tell_loss,
)


@pytest.mark.parametrize(
    ("codes", "waited", "end"),
    [
        ([None], 0, None),
        ([0], 0, "done"),
        ([1], 0, "failed"),
        ([-9], 0, "lost"),
        ([LOST], 0, "lost"),
        ([0, None], 60, None),
        ([0, 0], 0, "done"),
        # What was killed is seen at once, and is the cause of what the others came to.
        ([None, -9, None], 0, "lost"),
        ([1, -11], 0, "lost"),
        ([LOST, None, -9], 0, "lost"),
        # An error may follow from a kill that shows later, and a lost peer from an error that shows later.
        ([1, None], GRACE / 2, None),
        ([LOST, None], GRACE / 2, None),
        ([1, None], GRACE, "failed"),
        ([LOST, None], GRACE, "lost"),
        ([LOST, 1, LOST], 0, "failed"),
        ([LOST, LOST], 0, "lost"),
        ([2, 0], 0, "failed"),
        # NCCL aborts a process whose peer is gone, whatever the peer came to.
        ([-6], 0, "lost"),
        ([-6, None], GRACE / 2, None),
        ([-6, None], GRACE, "lost"),
        ([-6, LOST], 0, "lost"),
        ([-6, 1], 0, "failed"),
        ([-6, 1, -9], 0, "lost"),
    ],
)
def test_a_kill_is_a_loss_and_an_error_is_the_jobs_own(codes: list[int | None], waited: float, end: str | None) -> None:
    assert ended(codes, waited) == end


def test_each_rank_is_told_its_place_and_where_all_meet() -> None:
    first, second, third = places(3, "10.0.0.1")
    assert set(first) == set(PLACE)
    assert [each["RANK"] for each in (first, second, third)] == ["0", "1", "2"]
    assert third["LOCAL_RANK"] == "2"
    assert third["WORLD_SIZE"] == "3"
    assert first["MASTER_ADDR"] == "10.0.0.1"
    assert first["MASTER_PORT"] == second["MASTER_PORT"]
    assert int(first["MASTER_PORT"]) in PORTS
    assert places(1, "10.0.0.1") == [{}]


def test_a_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr("shiftgym.engines.group.PORTS", range(port, port + 1))
        with pytest.raises(OSError, match="no port from"):
            free_port()


def test_a_loss_is_told_in_words(tmp_path: Path) -> None:
    assert loss_in_words([-9]) == "the process was killed by SIGKILL (the system does that when main memory runs out)"
    assert loss_in_words([LOST, -11, None]) == "rank 1 was killed by SIGSEGV"
    assert loss_in_words([None, LOST]) == "a rank lost another one, or waited for it in vain"
    log = tmp_path / "new" / "log.txt"
    tell_loss(log, "why", 1, again=True)
    tell_loss(log, "why again", 2, again=False)
    tell_loss(log, "why", 1, again=False)
    assert log.read_text().splitlines() == [
        "why; it is started again",
        "why again; it was lost 2 times and is not started again",
        "why; it was lost once and is not started again",
    ]


def test_the_error_of_a_rank_comes_to_the_log_of_the_job(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    for rank, text in enumerate(["0\n", "1\n", "2\n", "3\n"]):
        rank_log(log, rank).write_text(text)
    assert rank_log(log, 2).name == "log-rank-2.txt"
    gather_logs(log, [LOST, 1, LOST, None])
    assert log.read_text() == "0\nRank 1:\n1\n"


def test_a_job_waits_for_another_start_as_often_as_it_may(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    found = [settled(log, [-9], "lost", losses=losses, restarts=1, reason="why") for losses in (1, 2)]
    assert found == ["waiting", "failed"]
    assert log.read_text().count("why") == 2
    rank_log(log, 1).write_text("an error\n")
    assert settled(log, [LOST, 1], "failed", losses=0, restarts=9, reason="") == "failed"
    assert log.read_text().endswith("Rank 1:\nan error\n")
    assert settled(log, [0, 0], "done", losses=1, restarts=1, reason="") == "done"


def test_an_abort_may_follow_from_the_error_of_another_rank() -> None:
    assert ended([1, -signal.SIGABRT], 10.0) == "failed"
    assert ended([LOST, -signal.SIGABRT], 10.0) == "lost"
    assert ended([1, -signal.SIGKILL], 10.0) == "lost"
