"""A city: streets with real geometry, and landmarks beside them."""

import hashlib
import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shiftgym.tasks.navigation.directions import bearing

if TYPE_CHECKING:
    import networkx as nx

Point = tuple[float, float]
"""Metres east and metres north of the city's origin."""
Segment = tuple[int, int]
"""A street segment, by the numbers of its end points."""

SETBACK = 9.0
"""Metres from the middle of the street to a landmark."""

NAMES = (
    "Aurora", "Bellini", "Cedar", "Corona", "Delta", "Diana", "Eden", "Elba", "Falcon", "Fiesta", "Gemini", "Granada",
    "Harbour", "Horizon", "Iris", "Ivory", "Jade", "Jasmine", "Kestrel", "Laurel", "Linden", "Lotus", "Lyra",
    "Magnolia", "Marlow", "Meridian", "Mistral", "Monaco", "Nova", "Olive", "Opal", "Orchid", "Orion", "Palma",
    "Panther", "Pearl", "Phoenix", "Regent", "Rialto", "Saffron", "Sierra", "Sirius", "Tivoli", "Vega", "Verona",
    "Willow", "Zenith", "Zephyr",
)  # fmt: skip
KINDS = (
    "Hotel {}", "Cafe {}", "Bar {}", "Studio {}", "Villa {}", "{} Bakery", "{} Bank", "{} Books", "{} Cinema",
    "{} Clinic", "{} Gallery", "{} Garage", "{} Grill", "{} Market", "{} Pharmacy", "{} School", "{} Theatre",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Landmark:
    """A named site beside a street segment."""

    name: str
    x: float
    y: float
    segment: Segment
    """The lower number first."""
    along: float
    """Metres from the segment's first end to where one stands abreast of it."""


@dataclass(frozen=True, slots=True, eq=False)
class City:
    """Streets and landmarks.

    `graph` is a directed networkx graph with both directions of every straight street segment: nodes carry `x` and `y`
    (metres east and north), edges `length` (metres) and `heading` (degrees, clockwise from north).
    """

    name: str
    graph: "nx.DiGraph"
    landmarks: tuple[Landmark, ...]

    def fingerprint(self) -> str:
        """SHA-256 of the city's canonical JSON; equal cities have equal fingerprints on any machine."""
        nodes = [[node, at["x"], at["y"]] for node, at in sorted(self.graph.nodes(data=True))]
        edges = [[*pair, self.graph.edges[pair]["heading"]] for pair in sorted(self.graph.edges)]
        marks = [[mark.name, mark.x, mark.y, *mark.segment, mark.along] for mark in self.landmarks]
        return hashlib.sha256(json.dumps([nodes, edges, marks]).encode()).hexdigest()


def build_city(
    name: str, points: Sequence[Point], segments: Iterable[Segment], stream: random.Random, sites: "Sites" = ()
) -> City:
    """A city from end points and segments: coordinates to a tenth of a metre, the largest connected part, landmarks.

    Args:
        sites: names and positions of real landmarks; each goes to the street beside it. Without any, they are made up.
    """
    import networkx as nx

    rounded = [(round(x, 1) + 0.0, round(y, 1) + 0.0) for x, y in points]
    whole = nx.Graph()
    for u, v in sorted({(min(pair), max(pair)) for pair in segments}):
        if math.dist(rounded[u], rounded[v]) >= 1.0:
            whole.add_edge(u, v)
    part = max(nx.connected_components(whole), key=lambda nodes: (len(nodes), -min(nodes))) if whole else ()
    number = {node: index for index, node in enumerate(sorted(part))}
    graph = nx.DiGraph()
    for node, index in number.items():
        graph.add_node(index, x=rounded[node][0], y=rounded[node][1])
    for u, v in sorted((number[u], number[v]) for u, v in whole.edges if u in number):
        for a, b in ((min(u, v), max(u, v)), (max(u, v), min(u, v))):
            start, end = (graph.nodes[node]["x"] for node in (a, b)), (graph.nodes[node]["y"] for node in (a, b))
            (x, to_x), (y, to_y) = start, end
            length = round(math.dist((x, y), (to_x, to_y)), 1)
            graph.add_edge(a, b, length=length, heading=bearing(x, y, to_x, to_y))
    landmarks = beside_streets(graph, sites) or make_up_landmarks(graph, stream)
    return City(name, graph, landmarks)


Sites = Iterable[tuple[str, Point]]

REACH = 40.0
"""A real landmark farther than this many metres from every street is left out."""


def make_up_landmarks(graph: "nx.DiGraph", stream: random.Random) -> tuple[Landmark, ...]:
    """Landmarks near the ends of streets, where an intersection can name them, and half-way, each with its own name."""
    names = [kind.format(name) for kind in KINDS for name in NAMES]
    stream.shuffle(names)
    found = []
    for u, v in sorted(pair for pair in graph.edges if pair[0] < pair[1]):
        length = graph.edges[u, v]["length"]
        spots = [stream.uniform(18, 28), length - stream.uniform(18, 28), length * stream.uniform(0.4, 0.6)]
        for spot, share in zip(spots, (0.4, 0.4, 0.4), strict=True):
            wanted, side = stream.random() < share, stream.choice((-1, 1))
            if wanted and names and length >= 60:
                found.append(_landmark(graph, names.pop(), (u, v), round(spot, 1), side * SETBACK))
    return tuple(found)


def beside_streets(graph: "nx.DiGraph", sites: Sites) -> tuple[Landmark, ...]:
    """Each site beside the segment nearest to it; names that occur twice are kept once."""
    sites = list(sites)
    if not sites:
        return ()
    from scipy.spatial import KDTree

    pairs = sorted(pair for pair in graph.edges if pair[0] < pair[1])
    starts = [graph.nodes[u] for u, _ in pairs]
    lengths = [graph.edges[pair]["length"] for pair in pairs]
    angles = [math.radians(graph.edges[pair]["heading"]) for pair in pairs]
    directions = [(math.sin(angle), math.cos(angle)) for angle in angles]
    segments = list(zip(pairs, starts, lengths, directions, strict=True))
    near = KDTree([at for _, at in sites]).query_ball_point(
        [(at["x"] + length / 2 * sine, at["y"] + length / 2 * cosine) for _, at, length, (sine, cosine) in segments],
        [length / 2 + REACH for length in lengths],
    )
    best: list[tuple[float, Segment, float, float]] = [(REACH, (0, 0), 0.0, 0.0)] * len(sites)
    for (pair, start, length, (sine, cosine)), indices in zip(segments, near, strict=True):
        for index in indices:
            east, north = sites[index][1][0] - start["x"], sites[index][1][1] - start["y"]
            along = east * sine + north * cosine
            right = east * cosine - north * sine
            if 0 <= along <= length and abs(right) < best[index][0]:
                best[index] = (abs(right), pair, round(along, 1), right)
    found: dict[str, Landmark] = {}
    for (name, _), (away, segment, along, right) in zip(sites, best, strict=True):
        if away < REACH and name not in found:
            found[name] = _landmark(graph, name, segment, along, math.copysign(max(away, 1.0), right))
    return tuple(found.values())


def _landmark(graph: "nx.DiGraph", name: str, segment: Segment, along: float, right: float) -> Landmark:
    start, angle = graph.nodes[segment[0]], math.radians(graph.edges[segment]["heading"])
    x = start["x"] + along * math.sin(angle) + right * math.cos(angle)
    y = start["y"] + along * math.cos(angle) - right * math.sin(angle)
    return Landmark(name, round(x, 1) + 0.0, round(y, 1) + 0.0, segment, along)
