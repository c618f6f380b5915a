"""Routes over all cities: experts are right, following them arrives, words and geometry agree, no route is shared."""

import json
import math
import re
import time
from dataclasses import asdict
from functools import partial
from itertools import pairwise

import pytest

from shiftgym.errors import ConfigError
from shiftgym.seeds import rng
from shiftgym.tasks.navigation.directions import COMPASS, SPATIAL, is_clear_turn, sector, turn_angle
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


def test_ten_thousand_rails():
    """Each stop is answered in both spaces; the right words lead along the very rail, to the destination."""
    task = build_task("navigation", splits=SPLITS)
    absolute, relative = SPACES["absolute"], SPACES["relative"]
    turned = {word: f'{{"action": "turn_direction({word})"}}' for word in (*absolute.words, *relative.words)}
    for number in range(RAILS):
        split = list(SPLITS)[number % len(SPLITS)]
        route = task.problem(split, number // len(SPLITS))
        assert 2 <= len(route.wordings) <= 8
        assert len(route.instructions) == 2 * len(route.wordings)
        for stop, after in pairwise(route.stops):
            places = [
                Situation(space, stop.heading, stop.expected, stop.next_heading, stop.intersection, stop.landmark)
                for space in (absolute, relative)
            ]
            if stop.expected == "turn":
                assert is_clear_turn(stop.heading, stop.next_heading)
                (way,) = relative.right_words(stop.heading, stop.next_heading)
                (compass,) = absolute.right_words(stop.heading, stop.next_heading)
                steps = {"left": -2, "right": 2, "slightly left": -1, "slightly right": 1}[way]
                assert COMPASS[(sector(stop.heading) + steps) % 8] == compass
                assert judge(turned[compass], places[0]).correct and judge(turned[way], places[1]).correct
            else:
                assert stop.expected == "forward" and stop.heading == stop.next_heading
                assert all(judge('{"action": "forward()"}', place).correct for place in places)
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


@pytest.mark.parametrize("rule", SPACES)
def test_experts_are_right_in_every_space(rule):
    splits = {city: {"city": city, "rule": rule} for city in MAKERS}
    for expert in ("worked", "direct"):
        task = build_task("navigation", options={"expert": expert, "landmark_reward": True}, splits=splits)
        for city in splits:
            for index in range(4):
                decision = task.start(task.problem(city, index))
                while decision is not None:
                    answer = task.expert(decision)
                    assert decision.judge(answer).correct
                    found = task.diagnose(decision, answer)
                    assert (found.valid, found.style) == (True, expert)
                    assert found.translated in (True, None)
                    decision = decision.next()


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


def test_a_setting_changes_only_its_factor():
    base = {"city": "london", "legs": [4, 6]}
    plain = build_task("navigation", splits={"x": base})
    for change in ({"rule": "relative"}, {"rule": "random"}):
        other = build_task("navigation", splits={"x": {**base, **change}})
        for index in range(50):
            a, b = asdict(plain.problem("x", index)), asdict(other.problem("x", index))
            assert a.pop("rule") == "absolute" and b.pop("rule") in SPACES
            assert a == b
            first, second = (t.start(t.problem("x", index)).prompt[0]["content"] for t in (plain, other))
            sentences = [SPACES[t.problem("x", index).rule].sentence for t in (plain, other)]
            assert first.replace(*sentences) == second
    hard = build_task("navigation", splits={"x": {**base, "passing": True}})
    more = 0
    for index in range(50):
        a, b = plain.problem("x", index), hard.problem("x", index)
        assert a.wordings == b.wordings
        assert a.instructions[::2] == b.instructions[::2]
        turns = [[s for s in route.stops if s.expected != "forward"] for route in (a, b)]
        assert [(s.x, s.y, s.heading, s.landmark) for s in turns[0]] == [
            (s.x, s.y, s.heading, s.landmark) for s in turns[1]
        ]
        assert not any(s.intersection for s in a.stops if s.expected == "forward")
        more += sum(s.intersection for s in b.stops if s.expected == "forward")
    assert more > 50


def test_in_hard_mode_the_instructions_count_intersections():
    task = build_task("navigation", splits={"x": {"city": "san_francisco", "passing": True}})
    counts = ("next", "second", "third", "fourth", "fifth")
    for index in range(100):
        route = task.problem("x", index)
        for number, sentence in enumerate(route.instructions[1:-1:2]):
            passed = [s for s in route.stops if s.instruction == 2 * number + 2 and s.intersection]
            assert f"the {counts[len(passed)]} intersection" in sentence


def test_a_thousand_routes_a_second():
    task = build_task("navigation")
    task.problem("train", 0)
    started = time.process_time()
    for index in range(1000):
        task.problem("train", index)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    "setting",
    [
        {"legs": [1, 3]},
        {"legs": [4, 3]},
        {"legs": [3, 9]},
        {"wordings": {"compass": 0}},
        {"wordings": {"compass": -1, "both": 3}},
        {"wordings": {"smell": 1}},
        {"rule": "absolut"},
        {"city": "new_yrok"},
        {"city": "missing/map.osm"},
        {"straights": -1},
        {"citty": "london"},
    ],
)
def test_settings_that_cannot_be_are_refused(setting):
    with pytest.raises(ConfigError, match=r"splits.train"):
        build_task("navigation", splits={"train": setting})


def test_records_are_json():
    route = build_task("navigation").problem("train", 5)
    assert json.loads(json.dumps(asdict(route)))["city"] == "new_york"


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
