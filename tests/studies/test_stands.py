import json
from types import SimpleNamespace

import pytest

from shiftgym.following.driver import SIGN, read_standing, this_machine
from shiftgym.layout import RunFolder
from shiftgym.studies import stands
from shiftgym.studies.stands import SOONEST, Stands

TITLES = ("init-seed0", "ppo-seed0")


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(stands, "time", clock := Clock())
    return clock


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def tries():
    return {title: SimpleNamespace(begun=0) for title in TITLES}


def told(**states):
    return {title: states.get(title.partition("-")[0], "waiting") for title in TITLES}


def test_a_change_is_written_at_most_once_a_second(run, clock):
    of = Stands(run, tries())
    of.tell(told(init="running"))
    assert read_standing(run).states == told(init="running")
    clock.now += SOONEST / 2
    of.tell(told(init="done", ppo="running"))
    assert read_standing(run).states == told(init="running")
    clock.now += SOONEST / 2
    of.tell(told(init="done", ppo="running"))
    assert read_standing(run).states == told(init="done", ppo="running")


def test_a_sign_of_life_is_given_where_nothing_changes(run, clock):
    of = Stands(run, tries())
    of.tell(told(init="running"))
    before = run.states.stat().st_ino
    clock.now += SIGN - 1
    of.tell(told(init="running"))
    assert run.states.stat().st_ino == before
    clock.now += 1
    of.tell(told(init="running"))
    assert run.states.stat().st_ino != before
    assert read_standing(run).machine == this_machine()


def test_the_time_of_branches_and_of_the_run_is_counted_over_all_drivers(run, clock):
    of = Stands(run, begun := tries())
    begun["init-seed0"].begun = 1
    of.tell(told(init="running"))
    clock.now += 3
    of.tell(told(init="running"))
    clock.now += 2
    of.tell(told(init="done"))
    of.write()
    first = read_standing(run)
    assert (first.seconds, first.spent, first.tries) == ({"init-seed0": 5.0}, 5.0, {"init-seed0": 1})
    clock.now += 1000
    of = Stands(run, begun := tries())
    begun["init-seed0"].begun = 2
    of.tell(told(init="running", ppo="running"))
    clock.now += 4
    of.tell(told(init="running", ppo="running"))
    of.write()
    found = read_standing(run)
    assert (found.seconds, found.spent) == ({"init-seed0": 9.0, "ppo-seed0": 4.0}, 9.0)
    assert (found.tries, found.began) == ({"init-seed0": 3}, first.began)


def test_a_broken_file_is_replaced(run, clock):
    run.states.write_text("{half")
    of = Stands(run, tries())
    of.tell(told())
    assert json.loads(run.states.read_text())["states"] == told()
