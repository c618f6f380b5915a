"""Routes over all cities: following them arrives, and none is both for training and for testing."""

import math
from functools import partial
from itertools import pairwise

import pytest

from shiftgym.seeds import rng
from shiftgym.tasks.navigation.directions import COMPASS, is_clear_turn, sector, turn_angle
from shiftgym.tasks.navigation.rules import SPACES
from shiftgym.tasks.navigation.verifier import Situation, judge
from shiftgym.tasks.navigation.world.cities import MAKERS, load_city
from shiftgym.tasks.navigation.world.streets import load_streets
from shiftgym.tasks.navigation.world.ways import draw_way, kind_of_way, lay_rail
from shiftgym.tasks.registry import build_task

RAILS = 10_000
SPLITS = {
    f"{city} {kind}": {"city": city, "legs": [2, 8], "routes": routes, "passing": passing}
    for city in MAKERS
    for kind, routes, passing in (("train", "train", False), ("test", "test", False), ("hard", "all", True))
}
GOALS = {city: {mark.name: mark for mark in load_city(city).landmarks} for city in MAKERS}


@pytest.mark.slow
def test_ten_thousand_rails():
    """The right words of both spaces lead along the very rail, to the destination; on every fifth route each stop is
    answered too."""
    task = build_task("navigation", splits=SPLITS)
    absolute, relative = SPACES["absolute"], SPACES["relative"]
    turned = {word: f'{{"action": "turn_direction({word})"}}' for word in (*absolute.words, *relative.words)}
    for number in range(RAILS):
        split = list(SPLITS)[number % len(SPLITS)]
        route = task.problem(split, number // len(SPLITS))
        assert 2 <= len(route.wordings) <= 8
        assert len(route.instructions) == 2 * len(route.wordings)
        for stop, after in pairwise(route.stops):
            if stop.expected == "turn":
                assert is_clear_turn(stop.heading, stop.next_heading)
                (way,) = relative.right_words(stop.heading, stop.next_heading)
                (compass,) = absolute.right_words(stop.heading, stop.next_heading)
                steps = {"left": -2, "right": 2, "slightly left": -1, "slightly right": 1}[way]
                assert COMPASS[(sector(stop.heading) + steps) % 8] == compass
                right = turned[compass], turned[way]
            else:
                assert stop.expected == "forward" and stop.heading == stop.next_heading
                right = ('{"action": "forward()"}',) * 2
            if number % 5 == 0:
                for space, answer in zip((absolute, relative), right, strict=True):
                    assert judge(
                        answer,
                        Situation(
                            space, stop.heading, stop.expected, stop.next_heading, stop.intersection, stop.landmark
                        ),
                    ).correct
            # The right move leads to the next stop: in that direction, and under the heading that it has there.
            assert sector(stop.next_heading) == sector(after.heading)
            assert math.dist((stop.x, stop.y), (after.x, after.y)) > 5
            away = math.degrees(math.atan2(after.x - stop.x, after.y - stop.y))
            assert abs(turn_angle(stop.next_heading, away)) < 25
        assert sum(stop.expected == "turn" for stop in route.stops) == len(route.wordings)
        last = route.stops[-1]
        assert last.expected == "stop" and last.landmark and last.landmark.text in route.instructions[-1]
        goal = GOALS[route.city][last.landmark.name]
        assert math.dist((last.x, last.y), (goal.x, goal.y)) < 12


def test_no_route_is_both_train_and_test():
    for city in MAKERS:
        streets = load_streets(city)
        seen = {}
        for kind in ("train", "test"):
            for index in range(150):
                way = draw_way(streets, kind, (2, 3), rng(0, "test", kind, index))
                assert kind_of_way(city, way) == kind
                nodes = tuple(node for leg in way.legs for node in leg.nodes)
                assert seen.setdefault((nodes, way.goal), kind) == kind
    kinds = [kind_of_way(city, draw_way(streets, "all", (3, 6), rng(1, "test", index))) for index in range(1000)]
    assert 0.24 < kinds.count("test") / len(kinds) < 0.36


def test_every_route_is_simple():
    streets = load_streets("london")
    for index in range(300):
        way = draw_way(streets, "all", (5, 8), rng(0, "test", index))
        nodes = [way.legs[0].nodes[0], *(node for leg in way.legs for node in leg.nodes[1:])]
        assert len(nodes) == len(set(nodes))


def test_the_weights_of_wordings_change_nothing_but_turns():
    weights = ({"compass": 1}, {"both": 1}, {"landmark": 1}, {"landmark": 0.5, "relative": 0.5})
    streets = load_streets("new_york")
    way = draw_way(streets, "all", (4, 6), rng(0, "test"))
    said = []
    for weight in weights:
        laid = [
            lay_rail(streets, way, partial(rng, 0, index), pauses=3, passing=False, wordings=weight)
            for index in range(30)
        ]
        said.append(
            [[sentence.split(", where")[0].rstrip(".") for sentence in sentences[1::2]] for sentences, _, _ in laid]
            + [[(stop.x, stop.y, stop.heading, stop.expected) for stop in stops] for _, _, stops in laid]
        )
    assert all(other == said[0] for other in said)
    task = build_task("navigation", splits={"train": {"wordings": {"landmark": 1}}})
    drawn = {wording for index in range(30) for wording in task.problem("train", index).wordings}
    assert drawn == {"landmark", "compass"}, "without another weight, compass words stand in"
