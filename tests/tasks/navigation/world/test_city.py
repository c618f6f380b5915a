"""A city: geometry and landmarks."""

import math

import pytest

from shiftgym.tasks.navigation.directions import bearing
from shiftgym.tasks.navigation.world.cities import MAKERS, load_city


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
