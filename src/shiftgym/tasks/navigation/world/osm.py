"""OpenStreetMap XML (.osm), as its editors, its servers and Overpass write it.

Elements may come in any order, and twice: Overpass gives a member first with its tags, then bare. What a later copy
lacks is taken from the one before it.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from shiftgym.errors import DataError
from shiftgym.tasks.navigation.world.markup import parse, quoted
from shiftgym.tasks.navigation.world.network import Network
from shiftgym.tasks.navigation.world.projection import Point, middle, on_earth
from shiftgym.tasks.navigation.world.walked import is_walked

SITE_TAGS = ("amenity", "shop", "tourism")
LONGEST_NAME = 60

Written = tuple[str, str]
"""Longitude and latitude as they stand in the file."""


class _Reader:
    """Gathers nodes and ways from the events of the parser. What an editor or a server marks as deleted is not there,
    and neither is a node without coordinates."""

    def __init__(self) -> None:
        self.nodes: dict[str, Written] = {}
        self.ways: dict[str, list[str]] = {}
        self.tags: dict[tuple[str, str], dict[str, str]] = {}
        """Of the elements that have any, by kind and id."""
        self.centres: dict[str, Written] = {}
        """Of ways, where the file tells them."""
        self.remark = ""
        self._element = ("", "")
        self._deleted = False
        self._tags: dict[str, str] = {}
        self._refs: list[str] = []
        self._at: Written | None = None
        self._in_remark = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "tag":
            self._tags[attributes.get("k", "")] = attributes.get("v", "")
        elif name in ("node", "way", "relation"):
            self._element = name, attributes.get("id", "")
            self._deleted = attributes.get("action") == "delete" or attributes.get("visible") == "false"
            self._tags, self._refs, self._at = {}, [], _written(attributes)
        elif name == "nd" and self._element[0] == "way":
            self._refs.append(attributes.get("ref", ""))
            if at := _written(attributes):
                self.nodes.setdefault(self._refs[-1], at)
        elif name == "center":
            self._at = _written(attributes)
        self._in_remark = name == "remark"

    def text(self, text: str) -> None:
        if self._in_remark:
            self.remark += text

    def end(self, name: str) -> None:
        self._in_remark = False
        if name not in ("node", "way"):
            return
        number = self._element[1]
        if self._deleted:
            (self.nodes if name == "node" else self.ways).pop(number, None)
            self.tags.pop(self._element, None)
            return
        if self._at:
            (self.nodes if name == "node" else self.centres)[number] = self._at
        if self._refs:
            self.ways[number] = self._refs
        if self._tags:
            self.tags[self._element] = self._tags


def _written(attributes: Mapping[str, str]) -> Written | None:
    return (attributes["lon"], attributes["lat"]) if "lon" in attributes and "lat" in attributes else None


def read_osm(path: Path) -> Network:
    """The streets and the named places of an .osm file. A street ends where the file lacks one of its nodes.

    Raises:
        DataError: it cannot be read; the message does not name the file.
    """
    reader = _Reader()
    parse(path, "osm", reader.start, reader.end, reader.text)
    if "error" in reader.remark.lower():
        raise DataError(f"Overpass broke off and says {quoted(reader.remark)}")
    walked = [number for (kind, number), tags in reader.tags.items() if kind == "way" and is_walked(tags)]
    streets = [
        (u, v)
        for number in walked
        for u, v in pairwise(reader.ways.get(number, ()))
        if u != v and u in reader.nodes and v in reader.nodes
    ]
    if walked and not streets:
        raise DataError("it has streets, but not their nodes; Overpass gives these too with (._;>;); out;")
    nodes: dict[str, Point] = {}
    for node in {node for pair in streets for node in pair}:
        at = on_earth(*reader.nodes[node])
        if at is None:
            longitude, latitude = reader.nodes[node]
            raise DataError(f"node {node} lies nowhere on earth: longitude {longitude!r}, latitude {latitude!r}")
        nodes[node] = at
    return Network(nodes, streets, _sites(reader))


def _sites(reader: _Reader) -> list[tuple[str, Point]]:
    """The named places: nodes, then ways, each in the middle of its outline."""
    sites = []
    for (kind, number), tags in sorted(reader.tags.items(), key=lambda item: item[0][0]):
        name = " ".join(tags.get("name", "").split())[:LONGEST_NAME]
        if not name or not any(tag in tags for tag in SITE_TAGS):
            continue
        written = [reader.nodes.get(number)] if kind == "node" else [reader.centres.get(number)]
        if kind == "way" and written == [None]:
            written = [reader.nodes.get(node) for node in reader.ways.get(number, ())]
        if points := [at for pair in written if pair and (at := on_earth(*pair))]:
            sites.append((name, middle(points)))
    return sites
