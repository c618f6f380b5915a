"""Nine cities of different make, drawn from nothing. Each maker returns end points and the segments between them.

new_york         a long grid, rotated by 29 degrees, with short and long blocks
milan            rings and spokes around a centre
new_delhi        roundabouts on a triangular net, joined by wide avenues
buenos_aires     square blocks, some avenues left out for plazas, and slanting boulevards
london           an old town that grew, on both banks of a river with few bridges
hong_kong        terraces along a bent shore, joined by irregular steep streets
melbourne        a regular centre that bends into garden suburbs
lagos            three grown islands and the bridges between them
san_francisco    two grids that meet at an angle along one long street, with gaps where the hills are
"""

import math
import random
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import cache
from itertools import combinations
from pathlib import Path

from shiftgym.errors import ConfigError
from shiftgym.seeds import rng
from shiftgym.tasks.navigation.world.city import City, Point, Segment, build_city
from shiftgym.tasks.navigation.world.maps import READERS, read_map

Plan = tuple[list[Point], list[Segment]]


def _rotated(points: Iterable[Point], degrees: float) -> list[Point]:
    """Points rotated clockwise around the origin."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return [(x * cosine + y * sine, y * cosine - x * sine) for x, y in points]


def _mesh(columns: int, rows: int) -> list[Segment]:
    """The segments of a grid whose points are numbered row by row."""
    along = [
        (row * columns + column, row * columns + column + 1) for row in range(rows) for column in range(columns - 1)
    ]
    return along + [(number, number + columns) for number in range(columns * (rows - 1))]


def _grid(xs: Iterable[float], ys: Iterable[float]) -> Plan:
    xs, ys = list(xs), list(ys)
    return [(x, y) for y in ys for x in xs], _mesh(len(xs), len(ys))


def _thinned(segments: list[Segment], share: float, stream: random.Random) -> list[Segment]:
    return [segment for segment in segments if stream.random() >= share]


def _scattered(stream: random.Random, inside: Callable[[Point], bool], size: float, spacing: float) -> list[Point]:
    """Points at random in a square of `size` metres where `inside` allows, none nearer to another than `spacing`."""
    points: list[Point] = []
    for _ in range(6000):
        point = (stream.uniform(-size, size) / 2, stream.uniform(-size, size) / 2)
        if inside(point) and all(math.dist(point, other) >= spacing for other in points):
            points.append(point)
    return points


def _grown(points: list[Point], reach: float) -> list[Segment]:
    """Streets between neighbours: two points with no third one in the circle between them (a Gabriel graph)."""
    near = [(u, v) for u, v in combinations(range(len(points)), 2) if math.dist(points[u], points[v]) <= reach]
    around: list[list[int]] = [[] for _ in points]
    for u, v in near:
        around[u].append(v)
        around[v].append(u)
    return [
        (u, v)
        for u, v in near
        if all(math.dist(_middle(points[u], points[v]), points[w]) * 2 > math.dist(points[u], points[v])
               for w in around[u] if w != v)
    ]  # fmt: skip


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def _bridges(points: list[Point], banks: tuple[list[int], list[int]], count: int, apart: float) -> list[Segment]:
    """The shortest segments from one bank to the other, no two of them beginning within `apart` metres."""
    built: list[Segment] = []
    for u, v in sorted(
        ((u, v) for u in banks[0] for v in banks[1]), key=lambda p: math.dist(points[p[0]], points[p[1]])
    ):
        if len(built) < count and all(math.dist(points[u], points[other]) >= apart for other, _ in built):
            built.append((u, v))
    return built


def new_york(stream: random.Random) -> Plan:
    avenues = [0.0]
    for _ in range(9):
        avenues.append(avenues[-1] + stream.choice((140, 190, 250)))
    points, segments = _grid(avenues, [80.0 * row for row in range(22)])
    return _rotated(points, 29), _thinned(segments, 0.04, stream)


def milan(stream: random.Random) -> Plan:
    spokes, radii = 18, (110, 200, 290, 390, 500, 610, 730, 860)
    angles = [360 / spokes * spoke + stream.uniform(-5, 5) for spoke in range(spokes)]
    points = [
        (radius * math.sin(math.radians(angle + bend)), radius * math.cos(math.radians(angle + bend)))
        for ring, radius in enumerate(radii)
        for angle, bend in ((angle, ring * 2.0 + stream.uniform(-2, 2)) for angle in angles)
    ]
    rings = [
        (ring * spokes + spoke, ring * spokes + (spoke + 1) % spokes)
        for ring in range(len(radii))
        for spoke in range(spokes)
    ]
    rays = [(number, number + spokes) for number in range(spokes * (len(radii) - 1))]
    centre = len(points)
    return [*points, (0.0, 0.0)], [
        *rings,
        *_thinned(rays, 0.1, stream),
        *((centre, spoke) for spoke in range(0, spokes, 2)),
    ]


def new_delhi(stream: random.Random) -> Plan:
    side, step = 12, 170.0
    points = [
        ((column + (row % 2) / 2) * step + stream.uniform(-12, 12), row * step * 0.8 + stream.uniform(-12, 12))
        for row in range(side)
        for column in range(side)
    ]
    slanted = [
        (row * side + column, (row + 1) * side + column + shift)
        for row in range(side - 1)
        for column in range(side)
        for shift in ((0, 1) if row % 2 else (-1, 0))
        if 0 <= column + shift < side
    ]
    along = [(row * side + column, row * side + column + 1) for row in range(side) for column in range(side - 1)]
    return _rotated(points, 14), [*along, *_thinned(slanted, 0.25, stream)]


def buenos_aires(stream: random.Random) -> Plan:
    side, block = 14, 110.0
    points, mesh = _grid([block * street for street in range(side)], [block * street for street in range(side)])
    streets = dict.fromkeys(_thinned(mesh, 0.06, stream))
    # A boulevard passes over two blocks and cuts the street between them in half.
    slants = [((3 + k) * side + 1 + 2 * k, 1, side + 1, side + 2) for k in range(5)]
    slants += [((6 + 2 * k) * side + 7 - k, side - 1, side, 2 * side - 1) for k in range(3)]
    for start, a, b, far in slants:
        streets.pop((start + a, start + b), None)
        streets.update(dict.fromkeys((end, len(points)) for end in (start, start + a, start + b, start + far)))
        points.append(_middle(points[start], points[start + far]))
    return _rotated(points, 8), list(streets)


def london(stream: random.Random) -> Plan:
    def dry(point: Point) -> bool:
        return abs(point[1] - 120 * math.sin(point[0] / 260)) > 70

    points = _scattered(stream, dry, 1500, 72)
    north = [number for number, (x, y) in enumerate(points) if y > 120 * math.sin(x / 260)]
    south = [number for number in range(len(points)) if number not in north]
    banks = frozenset(north)
    streets = [(u, v) for u, v in _grown(points, 160) if (u in banks) == (v in banks)]
    return points, [*streets, *_bridges(points, (north, south), 5, 220)]


def hong_kong(stream: random.Random) -> Plan:
    columns, rows = 26, 9
    offsets = [0.0]
    for _ in range(columns - 1):
        offsets.append(offsets[-1] + stream.uniform(55, 105))
    points = [
        (x + row * 22 + stream.uniform(-6, 6), row * 85 + 130 * math.sin(x / 420 + row * 0.08) + stream.uniform(-6, 6))
        for row in range(rows)
        for x in offsets
    ]
    segments = _mesh(columns, rows)
    terraces, climbs = segments[: rows * (columns - 1)], segments[rows * (columns - 1) :]
    return _rotated(points, 3), [*terraces, *_thinned(climbs, 0.45, stream)]


def melbourne(stream: random.Random) -> Plan:
    offsets = [0.0]
    for street in range(13):
        offsets.append(offsets[-1] + (70 if street % 2 else 130) + stream.uniform(-5, 5))
    middle = offsets[-1] / 2
    points, segments = _grid([at - middle for at in offsets], [at - middle for at in offsets])
    bent = [_rotated([point], -12 + max(0.0, math.dist(point, (0, 0)) - 300) / 15)[0] for point in points]
    return bent, _thinned(segments, 0.05, stream)


def lagos(stream: random.Random) -> Plan:
    islands = ((-420.0, 330.0, 380.0), (400.0, 380.0, 330.0), (40.0, -360.0, 370.0))
    points: list[Point] = []
    segments: list[Segment] = []
    shores: list[list[int]] = []
    for x, y, radius in islands:
        land = _scattered(stream, lambda point, radius=radius: math.hypot(*point) < radius, 2 * radius, 70)  # type: ignore[misc]
        first = len(points)
        segments += [(u + first, v + first) for u, v in _grown(land, 170)]
        points += [(px + x, py + y) for px, py in land]
        shores.append(list(range(first, len(points))))
    for a, b in ((0, 1), (1, 2), (0, 2)):
        segments += _bridges(points, (shores[a], shores[b]), 2, 150)
    return points, segments


def san_francisco(stream: random.Random) -> Plan:
    market = 52.0
    flat, hills = _grid([125.0 * street for street in range(16)], [95.0 * street for street in range(14)])
    north = [(x - 700, y - 300) for x, y in _rotated(flat, 9)]
    points, segments = [], _thinned(hills, 0.12, stream)
    slope = math.tan(math.radians(90 - market))
    kept = {number: index for index, number in enumerate(n for n, (x, y) in enumerate(north) if y > slope * x + 60)}
    points = [north[number] for number in kept]
    segments = [(kept[u], kept[v]) for u, v in segments if u in kept and v in kept]
    edge = len(points)
    south, streets = _grid([120.0 * street - 780 for street in range(14)], [-130.0 * street for street in range(6)])
    points += _rotated(south, market - 90)
    segments += [(u + edge, v + edge) for u, v in streets]
    for number in range(edge, edge + 14):
        nearest = sorted(range(edge), key=lambda other: math.dist(points[other], points[number]))[:2]
        segments += [(other, number) for other in nearest if math.dist(points[other], points[number]) < 170]
    return points, segments


MAKERS: dict[str, Callable[[random.Random], Plan]] = {
    maker.__name__: maker
    for maker in (new_york, milan, new_delhi, buenos_aires, london, hong_kong, melbourne, lagos, san_francisco)
}


ALL_BUT = "all_but_"
"""Before the name of a city of ours: any other one, drawn for each problem."""


def draw_city(name: str, stream: random.Random) -> str:
    """The city of that name, drawn where the name stands for several."""
    if not name.startswith(ALL_BUT):
        return name
    return stream.choice([city for city in MAKERS if city != name.removeprefix(ALL_BUT)])


def known_city(name: str) -> str:
    """The name again; ConfigError unless it is a city of ours, all but one of them, or the path of a map file."""
    if name.removeprefix(ALL_BUT) in MAKERS:
        return name
    path = Path(name)
    if path.is_file():
        return name
    if path.suffix not in READERS and path.name == name:
        near = get_close_matches(name, MAKERS, n=1, cutoff=0.0)[0]
        raise ConfigError(f"city: unknown city {name!r}: did you mean {near!r}?")
    raise ConfigError(f"city: there is no file {name!r}; cities are {', '.join(MAKERS)}, or the path of a map")


@cache
def load_city(name: str, seed: int = 0) -> City:
    """The city of that name, the same on every machine, or the one in the map file at that path.

    Raises:
        ConfigError: there is no such city.
        DataError: the map file cannot be read.
    """
    stream = rng(seed, "navigation", "city", name if name in MAKERS else Path(name).name)
    if known_city(name) not in MAKERS:
        points, segments, sites = read_map(Path(name))
        return build_city(name, points, segments, stream, sites)
    return build_city(name, *MAKERS[name](stream), stream)
