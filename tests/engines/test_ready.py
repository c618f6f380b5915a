"""The order in which jobs are started."""

from pathlib import Path

from shiftgym.engines.base import Call, Job, State
from shiftgym.engines.ready import start_ready


def job(name: str, needs: str | None = None, ranks: int = 1) -> Job:
    return Job(name, lambda: Call(print, (), Path("log.txt")), needs=needs, ranks=ranks)


def test_what_needs_a_job_waits_for_it_or_is_skipped() -> None:
    jobs = [job("a"), job("after a", "a"), job("after bad", "bad"), job("bad"), job("last", "after bad"), job("new")]
    states: dict[str, State] = {one.name: "waiting" for one in jobs}
    states |= {"a": "running", "bad": "failed"}
    started: list[str] = []
    for expected in (["new"], ["new", "after a"]):
        start_ready(jobs, states, lambda one: started.append(one.name) or True)
        assert started == expected
        states["a"] = "done"
    assert states == {
        "a": "done",
        "after a": "running",
        "after bad": "skipped",
        "bad": "failed",
        "last": "skipped",
        "new": "running",
    }


def test_nobody_overtakes_a_group_that_waits_for_room() -> None:
    jobs = [job("small"), job("group", ranks=2), job("later")]
    states: dict[str, State] = {one.name: "waiting" for one in jobs}
    start_ready(jobs, states, lambda one: one.name == "small")
    assert states == {"small": "running", "group": "waiting", "later": "waiting"}
    asked: list[str] = []
    start_ready(jobs, states, lambda one: bool(asked.append(one.name)))
    assert asked == ["group"]
