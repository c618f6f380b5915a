"""A city prepared for drawing routes: every leg that can be walked, and what may follow it. Made once a city."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from shiftgym.tasks.navigation.directions import bearing, is_clear, is_clear_turn, sector, turn_angle
from shiftgym.tasks.navigation.world.cities import MAKERS, load_city
from shiftgym.tasks.navigation.world.city import City, Point

LONGEST_LEG = 600.0
SHORTEST_LEG = 25.0
"""Metres."""
MOST_SEGMENTS = 4
BEND = 12.0
"""Within a leg, one segment goes on from another at no more than this angle (degrees)."""
SIGHT = 40.0
"""A landmark is seen from an end of its segment that is at most this many metres away."""
FIRST_STOP = 45.0
"""A destination lies at least this many metres from the last turning point, out of its sight."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A way from one intersection straight on to another, in one compass direction."""

    nodes: tuple[int, ...]
    headings: tuple[float, ...]
    """Of each segment, degrees."""
    stops: tuple[tuple[int, float], ...]
    """Landmarks beside the last segment and how many metres from the leg's start one stands abreast of each."""


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """The tables of one city."""

    city: City
    key: str
    """What the partition of its routes is derived from: the name of a made city, the fingerprint of one that was read
    from a file, never the path of the file."""
    points: tuple[Point, ...]
    """Of each node."""
    crossing: tuple[bool, ...]
    """Whether a node is an intersection: three streets or more."""
    legs: tuple[Leg, ...]
    starting: tuple[int, ...]
    """Legs that a route may start with, as indices into `legs`; likewise below."""
    following: tuple[tuple[int, ...], ...]
    """For each leg, those that begin at its end after a clear turn."""
    ending: tuple[tuple[int, ...], ...]
    """Those of `following` on which there is a destination."""
    seen: tuple[tuple[tuple[int, float], ...], ...]
    """For each node, landmarks seen from it and their bearings."""
    exits: Mapping[Point, tuple[float, ...]]
    """For the position of each node, headings of the streets that leave it."""


@cache
def load_streets(name: str) -> Streets:
    """The tables of the city of that name, or of the map file at that path; errors as in `cities.load_city`."""
    return prepare(load_city(name))


def prepare(city: City) -> Streets:
    graph = city.graph
    points = tuple((graph.nodes[node]["x"], graph.nodes[node]["y"]) for node in range(len(graph)))
    around = [sorted(graph.successors(node)) for node in range(len(graph))]
    crossing = tuple(len(streets) > 2 for streets in around)
    heading = {pair: graph.edges[pair]["heading"] for pair in graph.edges}
    length = {pair: graph.edges[pair]["length"] for pair in graph.edges}
    beside: dict[tuple[int, int], list[tuple[int, float]]] = {}
    seen: list[list[tuple[int, float]]] = [[] for _ in points]
    for index, mark in enumerate(city.landmarks):
        u, v = mark.segment
        beside.setdefault((u, v), []).append((index, mark.along))
        beside.setdefault((v, u), []).append((index, length[v, u] - mark.along))
        for node, away in ((u, mark.along), (v, length[u, v] - mark.along)):
            if away <= SIGHT:
                seen[node].append((index, bearing(*points[node], mark.x, mark.y)))

    @cache
    def straight_on(before: int, last: int) -> list[int]:
        """Where a leg may go on from its last segment."""
        here = heading[before, last]
        return [
            onward
            for onward in around[last]
            if is_clear(there := heading[last, onward])
            and sector(there) == sector(here)
            and abs(turn_angle(here, there)) <= BEND
        ]

    legs: list[Leg] = []

    def walk(nodes: tuple[int, ...], headings: tuple[float, ...], walked: float) -> None:
        """Append every leg that begins with `nodes` and has these headings between them."""
        before, last = nodes[-2:]
        if crossing[last] and walked >= SHORTEST_LEG:
            before_last = walked - length[before, last]
            stops = [(index, before_last + along) for index, along in beside.get((before, last), ())]
            kept = tuple(stop for stop in stops if FIRST_STOP <= stop[1] <= walked)
            legs.append(Leg(nodes, headings, kept))
        if len(nodes) > MOST_SEGMENTS:
            return
        for onward in straight_on(before, last):
            total = walked + length[last, onward]
            if total <= LONGEST_LEG and onward not in nodes:
                walk((*nodes, onward), (*headings, heading[last, onward]), total)

    for u in range(len(points)):
        for v in around[u] if crossing[u] else ():
            if is_clear(heading[u, v]) and length[u, v] <= LONGEST_LEG:
                walk((u, v), (heading[u, v],), length[u, v])
    first: dict[tuple[int, int], list[int]] = {}
    for index, leg in enumerate(legs):
        first.setdefault((leg.nodes[0], leg.nodes[1]), []).append(index)

    @cache
    def turning(before: int, last: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What may follow a leg with this last segment, and those of it on which there is a destination."""
        here = heading[before, last]
        onward = [pair for pair in ((last, node) for node in around[last]) if pair in first]
        after = tuple(index for pair in onward if is_clear_turn(here, heading[pair]) for index in first[pair])
        return after, tuple(index for index in after if legs[index].stops)

    turns = [turning(*leg.nodes[-2:]) for leg in legs]
    following = tuple(after for after, _ in turns)
    return Streets(
        city,
        city.name if city.name in MAKERS else city.fingerprint(),
        points,
        crossing,
        tuple(legs),
        tuple(index for index, after in enumerate(following) if after),
        following,
        tuple(ending for _, ending in turns),
        tuple(tuple(marks) for marks in seen),
        {points[node]: tuple(heading[node, after] for after in around[node]) for node in range(len(points))},
    )
