"""The tables from which routes are drawn."""

import math
from itertools import pairwise

from shiftgym.seeds import rng
from shiftgym.tasks.navigation.directions import is_clear_turn, sector
from shiftgym.tasks.navigation.world.city import build_city
from shiftgym.tasks.navigation.world.streets import FIRST_STOP, LONGEST_LEG, SIGHT, load_streets, prepare

STREETS = load_streets("milan")


def cross(bent=0.0):
    """Two streets that cross at the origin, and one end of each; the northern arm bends at half of its way."""
    points = [(0, 0), (0, 80), (bent, 160), (100, 0), (0, -100), (-100, 0)]
    return prepare(build_city("cross", points, [(0, 1), (1, 2), (0, 3), (0, 4), (0, 5)], rng(0, "test")))


def test_an_intersection_has_three_streets_or_more():
    streets = cross()
    assert [streets.points[node] for node, crossing in enumerate(streets.crossing) if crossing] == [(0.0, 0.0)]
    assert sorted(streets.exits[0.0, 0.0]) == [0.0, 90.0, 180.0, 270.0]
    assert streets.legs == (), "a leg leads from one intersection to another"


def test_legs_go_straight_on_from_one_intersection_to_another():
    assert len(STREETS.legs) > 300
    for leg in STREETS.legs:
        assert STREETS.crossing[leg.nodes[0]] and STREETS.crossing[leg.nodes[-1]]
        assert len({sector(heading) for heading in leg.headings}) == 1
        length = sum(math.dist(STREETS.points[u], STREETS.points[v]) for u, v in pairwise(leg.nodes))
        assert length <= LONGEST_LEG + 1
        assert all(FIRST_STOP <= metres <= length + 1 for _, metres in leg.stops)


def test_what_follows_a_leg_begins_at_its_end_after_a_clear_turn():
    for number, leg in enumerate(STREETS.legs):
        for after in STREETS.following[number]:
            onward = STREETS.legs[after]
            assert onward.nodes[0] == leg.nodes[-1]
            assert is_clear_turn(leg.headings[-1], onward.headings[0])
        assert {after for after in STREETS.following[number] if STREETS.legs[after].stops} == set(
            STREETS.ending[number]
        )
        assert (number in STREETS.starting) == bool(STREETS.following[number])


def test_landmarks_are_seen_from_near_by():
    seen = [(node, mark) for node, marks in enumerate(STREETS.seen) for mark, _ in marks]
    assert seen
    for node, mark in seen:
        landmark = STREETS.city.landmarks[mark]
        assert math.dist(STREETS.points[node], (landmark.x, landmark.y)) < SIGHT + 10
