"""The paper's published route archives, read as they are: a folder with `route_infos.json`, `gps_pano_mapping.pkl` and
`street_views/`. Instructions are put in our words from the geometry, as the published sentences do not wrap headings.

What is odd in them and what becomes of it: `init_heading` 0 means that none was recorded, so one is drawn from which
the first turn is clear, where there is one; a turn that is not clear is put in both words, whatever the weights; a
turning point less than 5 m from the one before is no turning point; a stop without a street view is kept, without one,
where a turn is made, and left out where one only goes on. Legs and crossings are as recorded: `legs` and `passing` do
not apply.
"""

import json
import math
import pickle
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from shiftgym.errors import ConfigError, DataError
from shiftgym.tasks.navigation.directions import SPATIAL, bearing, is_clear_turn
from shiftgym.tasks.navigation.route import Pause, Point, Sight, Stop, Stretch, Wording, assemble
from shiftgym.tasks.navigation.world.projection import project
from shiftgym.tasks.navigation.world.ways import TEST_SHARE, Routes, draw_wording, first_heading, lies_ahead
from shiftgym.tasks.partition import kind_of

SHORTEST_LEG = 5.0
SNAP = 20.0
"""Metres from a point to a street view that still shows it."""
APART = 8.0
"""Metres that a stop on the way keeps away from both ends of its leg."""

_WHERE = "|".join(sorted(SPATIAL, key=len, reverse=True))
_GOAL = re.compile(rf"The destination (?P<name>.+?) is on your (?P<where>{_WHERE})\b")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One route of an archive: what was recorded of it, in metres."""

    corners: tuple[Point, ...]
    """The start, the turning points, the destination."""
    sights: tuple[Sight | None, ...]
    """What is seen at each corner, on arrival; none at the start."""
    first_heading: float | None

    @property
    def headings(self) -> list[float]:
        """Of each leg, degrees."""
        return [bearing(*a, *b) for a, b in zip(self.corners, self.corners[1:], strict=False)]


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """All routes of a folder, and the street views taken along them."""

    path: str
    routes: Mapping[Routes, tuple[Recorded, ...]]
    views: Mapping[tuple[int, int], list[tuple[Point, str]]]
    """Street views by the square of `SNAP` metres that they lie in."""

    def view(self, at: Point) -> str | None:
        """The street view nearest to a point, if one is near enough."""
        column, row = _square(at)
        near = [
            (math.dist(at, position), view)
            for x in (column - 1, column, column + 1)
            for y in (row - 1, row, row + 1)
            for position, view in self.views.get((x, y), ())
        ]
        distance, view = min(near, default=(math.inf, ""))
        return view if distance <= SNAP else None

    def rail(
        self,
        routes: Routes,
        index: int,
        streams: Callable[[str], random.Random],
        *,
        straights: int,
        wordings: Mapping[Wording, float],
    ) -> tuple[tuple[str, ...], tuple[Wording, ...], tuple[Stop, ...]]:
        """Instructions, wordings and rail of route `index`, counted round and round; as `ways.lay_rail`."""
        chosen = self.routes[routes]
        if not chosen:
            raise ConfigError(f"{self.path}: there is no {routes} route in it")
        route = chosen[index % len(chosen)]
        stops, words = streams("stops"), streams("words")
        first = route.first_heading
        before = heading = first_heading(route.headings[0], stops) if first is None else first
        stretches = []
        for number, there in enumerate(route.headings):
            start, end = route.corners[number : number + 2]
            sight = route.sights[number]
            ahead = sight is not None and lies_ahead(heading + 45.0 * SPATIAL.index(sight.where), heading, there)
            drawn = draw_wording(wordings, ahead, words)
            wording = drawn if is_clear_turn(heading, there) else "both"
            count = stops.randint(0, straights)
            pauses = self._pauses(start, end, there, count)
            stretches.append(Stretch(start, there, pauses, there, wording, sight, number > 0, self.view(start)))
            heading = there
        goal, end = route.sights[-1], route.corners[-1]
        assert goal is not None
        sentences, rail = assemble(stretches, before, end, goal, streams("phrases"), self.view(end))
        return sentences, tuple([leg.wording for leg in stretches]), rail

    def _pauses(self, start: Point, end: Point, heading: float, count: int) -> tuple[Pause, ...]:
        found = []
        for number in range(1, count + 1):
            share = number / (count + 1)
            at = (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
            view = self.view(at)
            if view is not None and min(math.dist(at, start), math.dist(at, end)) > APART:
                found.append(Pause((round(at[0], 1), round(at[1], 1)), heading, panorama=view))
        return tuple(found)


def is_archive(path: Path) -> bool:
    return (path / "route_infos.json").is_file()


@cache
def load_archive(folder: str) -> Archive:
    """The archive in a folder.

    Raises:
        DataError: a file is missing or is not what it should be; the message names the file and the route.
    """
    path = Path(folder)
    infos = path / "route_infos.json"
    try:
        routes, _ = json.loads(infos.read_text(encoding="utf-8"))
        listed = list(enumerate(routes))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{infos}: not a list of routes and a counter: {error}") from None
    if not listed:
        raise DataError(f"{infos}: there is no route in it")
    origin: Point | None = None
    recorded = []
    for number, route in listed:
        try:
            origin = origin or _start(route)
            recorded.append(_read_route(route, origin))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
            raise DataError(f"{infos}: route {number}: {type(error).__name__}: {error}") from None
    assert origin is not None
    kinds = [(kind_of(json.dumps(route.corners), TEST_SHARE), route) for route in recorded]
    return Archive(
        folder,
        {
            "all": tuple(recorded),
            "train": tuple(route for kind, route in kinds if kind == "train"),
            "test": tuple(route for kind, route in kinds if kind == "test"),
        },
        _read_views(path, origin),
    )


def _read_route(route: Any, origin: Point) -> Recorded:
    results = route["route_results"]
    geocodes = [_start(route), *(_at(code) for code in results["geocode_list"])]
    if len(geocodes) < 2:
        raise ValueError("it has no leg")
    positions = [project(at, origin) for at in geocodes]
    goal = _goal(str(route["milestone_info"]))
    listed = results["landmark_list"]
    seen = [
        None,
        *(_sight(listed[index]) if index < len(listed) else None for index in range(len(positions) - 2)),
        goal,
    ]
    kept = [0]
    for index in range(1, len(positions)):
        last = index == len(positions) - 1
        if math.dist(positions[index], positions[kept[-1]]) > SHORTEST_LEG:
            kept.append(index)
        elif last and len(kept) > 1:
            kept[-1] = index
        elif last:
            raise ValueError(f"the destination is not {SHORTEST_LEG:g} m from the start")
    heading = float(route["init_heading"])
    if not math.isfinite(heading):
        raise ValueError(f"init_heading {heading} is no heading")
    corners = tuple((round(positions[index][0], 1) + 0.0, round(positions[index][1], 1) + 0.0) for index in kept)
    return Recorded(corners, tuple(seen[index] for index in kept), heading % 360 if heading else None)


def _start(route: Any) -> Point:
    start = route["start_place"]
    return _at(start.get("relocated_geocode") or start["geocode"])


def _at(code: Any) -> Point:
    """(longitude, latitude) of a published [latitude, longitude]."""
    latitude, longitude = (float(part) for part in code)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError(f"{code} lies nowhere on earth")
    return longitude, latitude


def _sight(landmark: Any) -> Sight | None:
    if landmark is None:
        return None
    where = landmark["spatial_relation"]
    if where not in SPATIAL:
        raise ValueError(f"spatial_relation {where!r} is not one of {', '.join(SPATIAL)}")
    return Sight(" ".join(str(landmark["name"]).split()), where)


def _goal(milestones: str) -> Sight:
    """The destination as it is seen; it is only told in the text of the last milestone."""
    match = _GOAL.search(milestones)
    if match is None:
        raise ValueError("milestone_info does not say where the destination is")
    # Quotes in a name may or may not be escaped.
    return Sight(" ".join(match["name"].replace('\\"', '"').split()), match["where"])


class _PlainUnpickler(pickle.Unpickler):
    """Reads plain containers, text and numbers. Whatever needs a class or a function to be called is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and a map of street views needs nothing but data")


def _read_views(folder: Path, origin: Point) -> dict[tuple[int, int], list[tuple[Point, str]]]:
    """Street views that have a picture, by their square."""
    path = folder / "gps_pano_mapping.pkl"
    try:
        with path.open("rb") as file:
            mapping = unpickle(file)
        positions = sorted((project(_at(code), origin), str(view)) for code, view in mapping.items())
    except Exception as error:  # noqa: BLE001  # a damaged pickle raises almost anything
        raise DataError(f"{path}: not a map of street views: {type(error).__name__}: {error}") from None
    taken = folder / "street_views"
    if not taken.is_dir():
        raise DataError(f"{taken}: there is no such folder; an archive's street views are the pictures in it")
    pictures = {picture.stem for picture in taken.glob("*.jpg")}
    squares: dict[tuple[int, int], list[tuple[Point, str]]] = {}
    for at, view in positions:
        if view in pictures:
            squares.setdefault(_square(at), []).append((at, view))
    return squares


def picture_of(folder: str, view: str) -> str:
    """Path of a street view's picture."""
    return str(Path(folder) / "street_views" / f"{view}.jpg")


def unpickle(file: BinaryIO) -> Any:
    """The plain data in a pickle; UnpicklingError if there is anything else in it."""
    return _PlainUnpickler(file).load()


def _square(at: Point) -> tuple[int, int]:
    return math.floor(at[0] / SNAP), math.floor(at[1] / SNAP)
