"""A city: geometry and landmarks."""

import math
import random

import pytest

from shiftgym.tasks.navigation.directions import bearing
from shiftgym.tasks.navigation.world.cities import MAKERS, load_city
from shiftgym.tasks.navigation.world.city import REACH, beside_streets


@pytest.mark.parametrize("name", MAKERS)
def test_geometry_is_real(name):
    import networkx as nx

    city = load_city(name)
    graph = city.graph
    assert nx.is_strongly_connected(graph)
    assert len(graph) > 120
    for u, v, street in graph.edges(data=True):
        start, end = ((graph.nodes[node]["x"], graph.nodes[node]["y"]) for node in (u, v))
        assert street["length"] == pytest.approx(math.dist(start, end), abs=0.1)
        assert street["heading"] == bearing(*start, *end)
        assert 0 <= street["heading"] < 360
        assert abs((graph.edges[v, u]["heading"] - street["heading"]) % 360 - 180) < 0.01


@pytest.mark.parametrize("name", MAKERS)
def test_landmarks_stand_beside_their_street(name):
    city = load_city(name)
    assert len(city.landmarks) > 150
    assert len({mark.name for mark in city.landmarks}) == len(city.landmarks)
    for mark in city.landmarks:
        (x, y), (to_x, to_y) = ((city.graph.nodes[node]["x"], city.graph.nodes[node]["y"]) for node in mark.segment)
        share = mark.along / math.dist((x, y), (to_x, to_y))
        assert 0 <= share <= 1
        assert math.dist((mark.x, mark.y), (x + (to_x - x) * share, y + (to_y - y) * share)) == pytest.approx(
            9, abs=0.5
        )


@pytest.mark.parametrize("name", ["milan", "san_francisco"])
def test_a_place_stands_beside_the_segment_nearest_to_it(name):
    """Compared with a search through all segments."""
    graph, stream = load_city(name).graph, random.Random(0)
    xs, ys = zip(*((at["x"], at["y"]) for _, at in graph.nodes(data=True)), strict=True)
    sites = [
        (f"Place {number}", (stream.uniform(min(xs) - 50, max(xs) + 50), stream.uniform(min(ys) - 50, max(ys) + 50)))
        for number in range(300)
    ]

    def away(at, u, v):
        """Metres from a segment, if one can stand abreast of the place on it."""
        (x, y), (to_x, to_y) = ((graph.nodes[node]["x"], graph.nodes[node]["y"]) for node in (u, v))
        length = math.dist((x, y), (to_x, to_y))
        along = ((at[0] - x) * (to_x - x) + (at[1] - y) * (to_y - y)) / length
        across = abs((at[0] - x) * (to_y - y) - (at[1] - y) * (to_x - x)) / length
        return across if 0 <= along <= length else math.inf

    found = {mark.name: mark for mark in beside_streets(graph, sites)}
    assert len(found) > 50
    for label, at in sites:
        nearest = min(away(at, u, v) for u, v in graph.edges)
        if label in found:
            assert away(at, *found[label].segment) == pytest.approx(nearest, abs=1)
        else:
            assert nearest > REACH - 1
