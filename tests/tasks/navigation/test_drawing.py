"""The map of a route, as SVG and in characters."""

from xml.etree import ElementTree as ET

from shiftgym.tasks.base import Drawn
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions

TASK = build_task("navigation", splits={"train": {"routes": "all"}, "london": {"city": "london", "passing": True}})


def test_the_figure_is_whole_and_escaped():
    assert isinstance(TASK, Drawn) and not isinstance(build_task("points"), Drawn)
    for split in TASK.splits:
        route = TASK.problem(split, 0)
        drawn = TASK.figure(route, {1: '<b>"forward()"'})
        tree = ET.fromstring(drawn)
        assert tree.attrib["viewBox"].startswith("0 0 ")
        assert drawn.count("<circle") == len(route.stops) + 1
        assert "currentColor" in drawn and "&lt;b&gt;" in drawn
        for stop in route.stops:
            assert stop.landmark is None or stop.landmark.name in drawn


def test_the_sketch_fits_a_terminal_and_shows_only_what_was_walked():
    for split in TASK.splits:
        for index in range(5):
            walk = list(decisions(TASK, TASK.problem(split, index)))
            for decision in (walk[0], walk[-1]):
                lines = TASK.sketch(decision).splitlines()
                assert max(map(len, lines)) <= 80 and len(lines) < 45
                assert sum(line.count("@") for line in lines) == 2
            goal = walk[-1].stop.landmark.name
            assert goal in TASK.sketch(walk[-1]) and goal not in TASK.sketch(walk[0])
