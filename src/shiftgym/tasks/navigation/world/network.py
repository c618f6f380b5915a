"""The streets of a map file, and what is left out of them: what one who walks does not notice."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from shiftgym.tasks.navigation.directions import bearing, turn_angle
from shiftgym.tasks.navigation.world.projection import Point

SHORTEST = 1.0
"""The ends of a segment of fewer metres than this are one point."""
BEND = 10.0
"""A point in the middle of a street that bends by fewer degrees than this is left out."""


class Network(NamedTuple):
    """What a map file holds, in degrees."""

    nodes: Mapping[str, Point]
    """Where the ends of the segments lie."""
    streets: list[tuple[str, str]]
    """Segments that are walked, each from one node to another; one may come twice, and in both directions."""
    sites: list[tuple[str, Point]]
    """Named places."""


Around = dict[str, dict[str, None]]
"""For each node those that are one segment away."""


def simplified(points: Mapping[str, Point], streets: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The segments, each once, without tiny ones and without points in the middle of a street that hardly bends.

    Args:
        points: of each node, in metres.
    """
    around: Around = {}
    for u, v in streets:
        _connect(around, u, v)
    _join(around, points)
    _straighten(around, points)
    return sorted({(min(u, v), max(u, v)) for u in around for v in around[u]})


def _connect(around: Around, u: str, v: str) -> None:
    if u != v:
        around.setdefault(u, {})[v] = None
        around.setdefault(v, {})[u] = None


def _join(around: Around, points: Mapping[str, Point]) -> None:
    """Make one point of the ends of each tiny segment, as a city drops such a segment and would be cut there."""
    # A city keeps tenths of a metre, and its segments are measured between these.
    tenths = {node: (round(points[node][0], 1), round(points[node][1], 1)) for node in around}
    for node in sorted(around):
        while node in around:
            near = next((v for v in around[node] if math.dist(tenths[node], tenths[v]) < SHORTEST), None)
            if near is None:
                break
            for other in around.pop(near):
                del around[other][near]
                _connect(around, node, other)


def _straighten(around: Around, points: Mapping[str, Point]) -> None:
    for node in sorted(around):
        if len(around[node]) != 2:
            continue
        u, v = around[node]
        into, out = bearing(*points[u], *points[node]), bearing(*points[node], *points[v])
        if abs(turn_angle(into, out)) < BEND and v not in around[u]:
            for end in (u, v):
                del around[end][node]
            del around[node]
            _connect(around, u, v)
