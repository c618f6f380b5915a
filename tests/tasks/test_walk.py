"""The way through a problem."""

from itertools import islice

import pytest

from shiftgym.errors import ConfigError
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decision_at, decisions


def test_a_hand_is_one_decision_and_a_route_one_a_stop():
    points, navigation = build_task("points"), build_task("navigation")
    hand, route = points.problem("train", 0), navigation.problem("train", 0)
    assert [decision.problem for decision in decisions(points, hand)] == [hand]
    walked = list(decisions(navigation, route))
    assert [decision.stop for decision in walked] == list(route.stops)
    assert walked[-1].next() is None


def test_decisions_are_made_one_by_one():
    """A walk without an end can be begun."""

    class Stairs:
        def __init__(self, step):
            self.step = step

        def next(self):
            return Stairs(self.step + 1)

    class Task:
        def start(self, problem):
            return Stairs(problem)

    assert [decision.step for decision in islice(decisions(Task(), 5), 3)] == [5, 6, 7]


def test_a_decision_by_its_number():
    navigation = build_task("navigation")
    route = navigation.problem("train", 0)
    last = len(route.stops) - 1
    for number in (0, last):
        assert decision_at(navigation, route, number).stop == route.stops[number]
    with pytest.raises(ConfigError, match=f"decision: train 0 has no decision {last + 1}, counted from 0"):
        decision_at(navigation, route, last + 1)
