"""A route in words: sentences and geometry agree."""

import re

from shiftgym.tasks.navigation.directions import COMPASS, SPATIAL, sector
from shiftgym.tasks.navigation.rules import SPACES
from shiftgym.tasks.registry import build_task


def test_wordings_are_mixed_as_asked_and_can_be_worked_out():
    task = build_task("navigation", splits={"train": {}, "one": {"wordings": {"relative": 1}}})
    routes = [task.problem("train", index) for index in range(400)]
    said = [wording for route in routes for wording in route.wordings]
    share = {wording: said.count(wording) / len(said) for wording in set(said)}
    assert 0.25 < share["relative"] < 0.4 and 0.25 < share["compass"] < 0.4
    assert 0.2 < share["both"] < 0.33 and 0.06 < share["landmark"] < 0.2
    assert {wording for index in range(50) for wording in task.problem("one", index).wordings} == {"relative"}
    for route in routes:
        turns = [stop for stop in route.stops if stop.expected == "turn"]
        for stop, wording, sentence in zip(turns, route.wordings, route.instructions[::2], strict=True):
            words = re.findall(r"[a-z]+", sentence)
            (way,) = SPACES["relative"].right_words(stop.heading, stop.next_heading)
            compass = COMPASS[sector(stop.next_heading)]
            if wording == "landmark":
                assert stop.landmark and stop.landmark.name in sentence
                ahead = sector(stop.heading + 45 * SPATIAL.index(stop.landmark.where))
                assert COMPASS[(sector(stop.heading) + SPATIAL.index(stop.landmark.where)) % 8] == compass
                assert 0 <= ahead < 8
            else:
                assert (way in sentence) == (wording in ("relative", "both"))
                assert (compass in words) == (wording in ("compass", "both"))


def test_in_hard_mode_the_instructions_count_intersections():
    task = build_task("navigation", splits={"x": {"city": "san_francisco", "passing": True}})
    counts = ("next", "second", "third", "fourth", "fifth")
    for index in range(100):
        route = task.problem("x", index)
        for number, sentence in enumerate(route.instructions[1:-1:2]):
            passed = [s for s in route.stops if s.instruction == 2 * number + 2 and s.intersection]
            assert f"the {counts[len(passed)]} intersection" in sentence
