"""Reading a real street network from a local file: OpenStreetMap XML (.osm), or GraphML as osmnx writes it.

Nothing is fetched.
"""

from pathlib import Path

from shiftgym.errors import DataError
from shiftgym.tasks.navigation.world.graphml import read_graphml
from shiftgym.tasks.navigation.world.markup import HEAD, refuse_other_kinds
from shiftgym.tasks.navigation.world.network import simplified
from shiftgym.tasks.navigation.world.osm import read_osm
from shiftgym.tasks.navigation.world.projection import Point, middle, project

Plan = tuple[list[Point], list[tuple[int, int]], list[tuple[str, Point]]]
"""Points in metres, segments between them, and sites (name, where)."""

READERS = {".osm": read_osm, ".graphml": read_graphml}


def read_map(path: Path) -> Plan:
    """The network in a map file.

    Raises:
        DataError: the file is missing, is no such map, or holds no street.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such map; maps are files that end in {' or '.join(READERS)}")
    try:
        return _read(path)
    except DataError as error:
        raise DataError(f"{path}: not a map that can be read: {error}") from None


def _read(path: Path) -> Plan:
    if path.suffix not in READERS:
        with path.open("rb") as file:
            refuse_other_kinds(file.read(HEAD))
        raise DataError(f"maps are files that end in {' or '.join(READERS)}")
    nodes, streets, sites = READERS[path.suffix](path)
    origin = middle(list(nodes.values())) if nodes else (0.0, 0.0)
    points = {node: project(at, origin) for node, at in nodes.items()}
    streets = simplified(points, streets)
    if not streets:
        raise DataError("there is no street in it")
    number = {node: index for index, node in enumerate(sorted({node for pair in streets for node in pair}))}
    return (
        [points[node] for node in number],
        [(number[u], number[v]) for u, v in streets],
        [(name, project(at, origin)) for name, at in sites],
    )
