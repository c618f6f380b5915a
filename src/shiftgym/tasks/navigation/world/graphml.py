"""GraphML as osmnx writes it: one edge a street, or one for each of its directions, and where the graph was simplified
the course of an edge in its `geometry` (WKT, https://www.ogc.org/standards/sfa/)."""

import math
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from shiftgym.errors import DataError
from shiftgym.tasks.navigation.world.markup import parse, quoted
from shiftgym.tasks.navigation.world.network import Network
from shiftgym.tasks.navigation.world.projection import Point, on_earth, project
from shiftgym.tasks.navigation.world.walked import is_walked

COORDINATES = (("lon", "lat"), ("x", "y"))
"""Names of a node's longitude and latitude; the first pair that it has counts."""
MISSING = ("", "nan", "None")
"""Values that stand for none."""
APART = 100.0
"""Metres that the ends of a geometry may lie from the nodes of its edge, which a graph of merged junctions moves."""

_LINE = re.compile(r"(?:SRID=\d+;)?\s*(?:MULTI)?LINESTRING\s*(?:ZM?|M)?\s*(?:EMPTY|\((.*)\))", re.I | re.S)


class _Reader:
    """Gathers the attributes of nodes and edges from the events of the parser."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, str]] = {}
        self.edges: list[tuple[str, str, dict[str, str]]] = []
        self.defaults: dict[str, dict[str, str]] = {"node": {}, "edge": {}}
        self._names: dict[str, str] = {}
        """Of each key."""
        self._key: str = ""
        self._kinds: tuple[str, ...] = ()
        self._open: list[dict[str, str]] = []
        self._text: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "key":
            self._key = attributes.get("id", "")
            self._names[self._key] = attributes.get("attr.name", self._key)
            kind = attributes.get("for", "all")
            self._kinds = (kind,) if kind in self.defaults else ("node", "edge") if kind == "all" else ()
        elif name == "data":
            self._key = attributes.get("key", "")
        elif name == "node":
            self._open.append(self.nodes.setdefault(attributes.get("id", ""), {}))
        elif name == "edge":
            self._open.append({})
            self.edges.append((attributes.get("source", ""), attributes.get("target", ""), self._open[-1]))
        elif name == "graph":
            self._open.append({})
        self._text = []

    def text(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        if name in ("node", "edge", "graph"):
            self._open.pop()
        elif name in ("data", "default"):
            value, attribute = "".join(self._text).strip(), self._names.get(self._key, self._key)
            if value not in MISSING:
                for attributes in self._open[-1:] if name == "data" else [self.defaults[kind] for kind in self._kinds]:
                    attributes[attribute] = value


def read_graphml(path: Path) -> Network:
    """The streets of a .graphml file. Edges without a `highway` are streets too.

    Raises:
        DataError: it cannot be read; the message does not name the file.
    """
    reader = _Reader()
    parse(path, "graphml", reader.start, reader.end, reader.text)
    nodes: dict[str, Point] = {}
    streets: list[tuple[str, str]] = []
    for u, v, given in reader.edges:
        tags = {**reader.defaults["edge"], **given}
        # A street of which only `razed:highway` and the like is told is gone.
        known = tags if any(key.endswith(":highway") for key in tags) else {"highway": "road", **tags}
        if u not in reader.nodes or v not in reader.nodes or not is_walked(known):
            continue
        for node in (u, v):
            if node not in nodes:
                nodes[node] = _position(node, {**reader.defaults["node"], **reader.nodes[node]})
        try:
            courses = _courses(tags.get("geometry", ""), (u, v), nodes)
        except DataError as error:
            raise DataError(f"edge from {u} to {v}: {error}") from None
        for course in courses:
            nodes.update(course)
            streets += [(a, b) for (a, _), (b, _) in pairwise(course) if a != b]
    return Network(nodes, streets, [])


def _position(node: str, attributes: Mapping[str, str]) -> Point:
    pair = next((pair for pair in COORDINATES if all(name in attributes for name in pair)), None)
    if pair is None:
        raise DataError(f"node {node} has neither lon and lat nor x and y")
    at = on_earth(*[attributes[name] for name in pair])
    if at is None:
        told = " and ".join(f"{name} {attributes[name]}" for name in pair)
        raise DataError(
            f"node {node} has {told}, which should be longitude and latitude in degrees; unproject the graph first"
        )
    return at


Course = list[tuple[str, Point]]
"""Nodes, one after the other, and where they lie."""


def _courses(geometry: str, ends: tuple[str, str], nodes: Mapping[str, Point]) -> list[Course]:
    """The course of an edge from node to node, in pieces where its geometry has gaps.

    The points of the geometry become nodes. Their names tell the edge and the place, so that they are the same in the
    edge of the other direction, whichever way either geometry runs.
    """
    lines = _lines(geometry)
    if not lines:
        return [[(node, nodes[node]) for node in ends]]
    begins, finishes = lines[0][0], lines[-1][-1]

    def away(order: tuple[str, str]) -> float:
        """Metres from the geometry's ends to the nodes in that order, the larger of both."""
        return max(math.hypot(*project(begins, nodes[order[0]])), math.hypot(*project(finishes, nodes[order[1]])))

    first, last = min(ends, ends[::-1], key=away)
    if away((first, last)) > APART:
        raise DataError(f"its geometry ends {away((first, last)):,.0f} m from its nodes")
    corners = {_rounded(nodes[node]): node for node in ends}
    edge = " ".join(sorted(ends))
    courses = [[(corners.get(_rounded(at)) or f"{edge} {at[0]:.7f} {at[1]:.7f}", at) for at in line] for line in lines]
    courses[0].insert(0, (first, nodes[first]))
    courses[-1].append((last, nodes[last]))
    return courses


def _lines(geometry: str) -> list[list[Point]]:
    """The lines of a WKT text of one or several; none if it is empty."""
    if not geometry:
        return []
    match = _LINE.fullmatch(geometry.strip())
    if match is None:
        raise DataError(f"its geometry {quoted(geometry[:60])} is no LINESTRING")
    body = match[1] or ""
    lines = []
    for line in re.findall(r"[^()]+", body) if "(" not in body else re.findall(r"\(([^()]+)\)", body):
        points = [on_earth(*pair[:2]) for part in line.split(",") if len(pair := part.split()) >= 2]
        if None in points or len(points) < line.count(",") + 1:
            raise DataError(f"its geometry {quoted(line[:60])} is not in degrees; unproject the graph first")
        lines.append([at for at in points if at])
    return lines


def _rounded(at: Point) -> tuple[float, float]:
    """To the resolution of OpenStreetMap, a centimetre."""
    return round(at[0], 7), round(at[1], 7)
