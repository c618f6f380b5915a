"""How long sessions live, how many there are, and what an answer that comes again leads to."""

import asyncio
import threading

import pytest

from shiftgym.errors import ConfigError
from shiftgym.integrations.limits import Limits
from shiftgym.integrations.sessions import OpenRequest, Refused, Sessions, StepRequest, ready_tasks
from shiftgym.studies.config import load_study

POINTS = load_study("points-text", ["task.limit=2"])


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    sessions = Sessions(
        {"points-text": POINTS.build_task()}, Limits(max_sessions=3, idle=10, life=25, max_text=30_000), clock
    )
    yield sessions
    sessions.end()


def opened(sessions, index=0, **beside):
    return asyncio.run(sessions.open(OpenRequest(split="id", index=index, **beside)))["session"]


def step(sessions, name, text="no", **beside):
    return asyncio.run(sessions.step(StepRequest(session=name, text=text, **beside)))


def refused(call, *arguments, **beside):
    with pytest.raises(Refused) as caught:
        call(*arguments, **beside)
    return caught.value.status, caught.value.field


def test_a_session_that_nobody_uses_ends(sessions, clock):
    used, forgotten = opened(sessions), opened(sessions)
    clock.now = 9
    step(sessions, used)
    clock.now = 11
    assert refused(sessions.state, forgotten) == (404, "session")
    assert sessions.state(used)["answered"] == 1


def test_no_session_lives_longer_than_life(sessions, clock):
    name = opened(sessions)
    for clock.now in (8, 16, 24):
        sessions.state(name)
    clock.now = 26
    assert refused(step, sessions, name) == (404, "session")


def test_the_time_of_the_others_is_over_without_anyone_asking(sessions, clock):
    opened(sessions)
    clock.now = 11
    sessions.expire()
    assert len(sessions) == 0


def test_there_is_room_for_so_many(sessions, clock):
    first, _, _ = opened(sessions), opened(sessions), opened(sessions)
    assert refused(opened, sessions) == (429, None)
    sessions.close(first)
    opened(sessions)
    clock.now = 11
    assert opened(sessions), "what is over makes room"


def test_the_oldest_that_has_ended_makes_room(sessions):
    open_one, ended, later = opened(sessions), opened(sessions), opened(sessions)
    for name in (later, ended):
        step(sessions, name)
        assert step(sessions, name)["done"]
    opened(sessions)
    assert refused(sessions.state, ended) == (404, "session")
    assert sessions.state(later)["done"] and not sessions.state(open_one)["done"]


def test_what_comes_again_is_not_judged_again(sessions):
    name = opened(sessions)
    first = step(sessions, name, "no", answered=0)
    assert step(sessions, name, "no", answered=0) == first
    assert sessions.state(name)["answered"] == 1
    assert refused(step, sessions, name, "another", answered=0) == (409, "answered")
    assert refused(step, sessions, name, "no", answered=0, stop="length") == (409, "answered")
    assert refused(step, sessions, name, "no", answered=7) == (409, "answered")
    last = step(sessions, name, "no", answered=1)
    assert last["done"]
    assert step(sessions, name, "no", answered=1) == last, "the last answer too"
    assert refused(step, sessions, name, "no", answered=0) == (409, "answered")
    assert refused(step, sessions, name, "no") == (409, "session")


@pytest.mark.parametrize("text", ["no", "no" + " " * 25_000], ids=["short", "long"])
def test_the_same_step_twice_at_the_same_time_is_one(sessions, text):
    name = opened(sessions)
    request = StepRequest(session=name, text=text, answered=0)

    async def twice():
        return await asyncio.gather(sessions.step(request), sessions.step(request))

    one, other = asyncio.run(twice())
    assert one == other
    assert sessions.state(name)["answered"] == 1


def test_a_long_answer_is_read_beside_the_loop(sessions, monkeypatch):
    name = opened(sessions)
    going = threading.Event()
    inner = sessions._open[name].session
    judged = inner.step

    def slow(text, stop):
        assert going.wait(10)
        return judged(text, stop)

    monkeypatch.setattr(inner, "step", slow)

    async def meanwhile():
        long = asyncio.create_task(sessions.step(StepRequest(session=name, text="x" * 25_000)))
        await asyncio.sleep(0.01)
        assert sessions.state(name)["answered"] == 0
        going.set()
        return await long

    assert asyncio.run(meanwhile())["answered"] == 1


def test_a_text_is_at_most_so_long(sessions):
    name = opened(sessions)
    assert refused(step, sessions, name, "x" * 30_001) == (413, "text")
    assert step(sessions, name, "x" * 30_000)["answered"] == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"study": "points-vision"}, "study"),
        ({"study": "../study.toml"}, "study"),
        ({"split": "ood"}, "split"),
        ({"split": "id", "decision": 1}, "decision"),
        ({"split": "id", "decision": 10**15}, "decision"),
    ],
)
def test_only_what_is_served_can_be_opened(sessions, wrong, field):
    request = OpenRequest(**{"split": "id", "index": 0, **wrong})
    assert refused(asyncio.run, sessions.open(request)) == (422, field)


def test_where_more_than_one_study_is_served_it_has_to_be_named():
    other = load_study("points-text-quick")
    sessions = Sessions(ready_tasks([POINTS, other]), Limits())
    assert refused(opened, sessions) == (422, "study")
    assert opened(sessions, study="points-text-quick")
    sessions.end()


def test_two_studies_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="'points-text'"):
        ready_tasks([POINTS, POINTS])
