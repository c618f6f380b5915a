"""Reading a real street network from a local file: OpenStreetMap XML (.osm), or GraphML as osmnx writes it.

Nothing is fetched. A document type declaration, the way into XML's known attacks, is refused before anything is read.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.parsers import expat

from shiftgym.errors import DataError
from shiftgym.tasks.navigation.directions import bearing, turn_angle

Point = tuple[float, float]
Plan = tuple[list[Point], list[tuple[int, int]], list[tuple[str, Point]]]
"""Points in metres, segments between them, and sites (name, where)."""

SUFFIXES = (".osm", ".graphml")
NOT_WALKED = frozenset(("motorway", "motorway_link", "trunk_link", "construction", "proposed", "raceway", "corridor"))
SITE_TAGS = ("amenity", "shop", "tourism")
METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of 6,371 km."""
LONGEST_NAME = 60
BEND = 10.0
"""A point in the middle of a street that bends by fewer degrees than this is left out."""


def read_map(path: Path) -> Plan:
    """The network in a map file.

    Raises:
        DataError: the file is missing, is no such map, or holds no street.
    """
    if path.suffix not in SUFFIXES or not path.is_file():
        raise DataError(f"{path}: there is no such map; maps are files that end in {' or '.join(SUFFIXES)}")
    try:
        nodes, streets, sites = (_osm if path.suffix == ".osm" else _graphml)(path)
        used = {node for pair in streets for node in pair}
        middle = _middle([nodes[node] for node in sorted(used)])
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise DataError(f"{path}: not a map that can be read: {type(error).__name__}: {error}") from None
    if not streets:
        raise DataError(f"{path}: there is no street in it")
    points = {node: project(at, middle) for node, at in nodes.items() if node in used}
    streets = _straightened(points, streets)
    number = {node: index for index, node in enumerate(sorted({node for pair in streets for node in pair}))}
    return (
        [points[node] for node in number],
        [(number[u], number[v]) for u, v in streets],
        [(name, project(at, middle)) for name, at in sites],
    )


def project(at: Point, origin: Point) -> Point:
    """Metres east and north of `origin`; both are (longitude, latitude) in degrees. True to 0.1 % within a city."""
    east = (at[0] - origin[0]) * METRES_PER_DEGREE * math.cos(math.radians(origin[1]))
    return east, (at[1] - origin[1]) * METRES_PER_DEGREE


def _middle(points: list[Point]) -> Point:
    longitudes, latitudes = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
    return (min(longitudes) + max(longitudes)) / 2, (min(latitudes) + max(latitudes)) / 2


Network = tuple[dict[str, Point], list[tuple[str, str]], list[tuple[str, Point]]]


class _OsmReader:
    """Gathers nodes, ways with a `highway` tag, and named sites from the events of the parser."""

    def __init__(self) -> None:
        self.nodes: dict[str, Point] = {}
        self.streets: list[tuple[str, str]] = []
        self.sites: list[tuple[str, Point]] = []
        self._tags: dict[str, str] = {}
        self._way: list[str] = []

    def start(self, element: str, attributes: Mapping[str, str]) -> None:
        if element in ("node", "way"):
            self._tags, self._way = {}, []
        if element == "node":
            at = float(attributes["lon"]), float(attributes["lat"])
            if not (abs(at[0]) <= 180 and abs(at[1]) <= 90):
                raise ValueError(f"node {attributes['id']} lies nowhere on earth")
            self._node = self.nodes[attributes["id"]] = at
        elif element == "nd":
            self._way.append(attributes["ref"])
        elif element == "tag":
            self._tags[attributes["k"]] = attributes["v"]

    def end(self, element: str) -> None:
        name = " ".join(self._tags.get("name", "").split())[:LONGEST_NAME]
        if element == "node" and name and any(tag in self._tags for tag in SITE_TAGS):
            self.sites.append((name, self._node))
        if element == "way" and self._tags.get("highway", "motorway") not in NOT_WALKED:
            # An extract may name nodes that it does not hold.
            known = [node for node in self._way if node in self.nodes]
            self.streets += pairwise(known)


def _osm(path: Path) -> Network:
    reader = _OsmReader()
    _parse(path, reader)
    return reader.nodes, reader.streets, reader.sites


def _parse(path: Path, reader: _OsmReader | None) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("it has a document type declaration, which no map needs")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    if reader is not None:
        parser.StartElementHandler = reader.start
        parser.EndElementHandler = reader.end
    with path.open("rb") as file:
        parser.ParseFile(file)


def _graphml(path: Path) -> Network:
    import networkx as nx

    _parse(path, None)
    try:
        graph: Any = nx.read_graphml(path)
    except (nx.NetworkXError, TypeError) as error:
        raise ValueError(error) from None
    nodes = {str(node): (float(at["x"]), float(at["y"])) for node, at in graph.nodes(data=True)}
    if not all(abs(x) <= 180 and abs(y) <= 90 for x, y in nodes.values()):
        raise ValueError("x and y of a node must be longitude and latitude in degrees; unproject the graph first")
    return nodes, [(str(u), str(v)) for u, v in graph.edges()], []


def _straightened(points: Mapping[str, Point], streets: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The streets without the points in their middle at which they hardly bend."""
    around: dict[str, dict[str, None]] = {}
    for u, v in streets:
        if u != v:
            around.setdefault(u, {})[v] = None
            around.setdefault(v, {})[u] = None
    for node in sorted(around):
        if len(around[node]) != 2:
            continue
        u, v = around[node]
        into, out = bearing(*points[u], *points[node]), bearing(*points[node], *points[v])
        if abs(turn_angle(into, out)) < BEND and v not in around[u]:
            for here, there in ((u, v), (v, u)):
                del around[here][node]
                around[here][there] = None
            del around[node]
    return sorted({(min(u, v), max(u, v)) for u in around for v in around[u]})
