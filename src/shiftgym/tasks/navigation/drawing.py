"""The map of a route: as SVG for a page, and in characters for a terminal."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from itertools import pairwise
from pathlib import Path

from shiftgym.tasks.navigation.directions import SPATIAL, compass_word
from shiftgym.tasks.navigation.route import Point, Route, Stop
from shiftgym.tasks.navigation.world.streets import Streets, load_streets
from shiftgym.tasks.navigation.world.virl_files import is_archive

Segment = tuple[Point, Point]

AWAY = 24.0
"""Metres from a stop at which its landmark is drawn."""
MARGIN = 110.0
"""Metres of city shown around the route."""


def _streets(route: Route) -> Streets | None:
    """The streets of the route's city; none for a published archive, which has only routes."""
    return None if is_archive(Path(route.city)) else load_streets(route.city)


def _spots(stops: Iterable[Stop], streets: Streets | None) -> dict[str, Point]:
    """Each landmark that is seen, and where it is; where no city says so, about where it is seen."""
    known = {mark.name: (mark.x, mark.y) for mark in streets.city.landmarks} if streets else {}
    found = {}
    for stop in stops:
        if stop.landmark is not None:
            angle = math.radians(stop.heading + 45.0 * SPATIAL.index(stop.landmark.where))
            guess = (stop.x + AWAY * math.sin(angle), stop.y + AWAY * math.cos(angle))
            found[stop.landmark.name] = known.get(stop.landmark.name, guess)
    return found


def _segments(streets: Streets | None) -> list[Segment]:
    if streets is None:
        return []
    return [(streets.points[u], streets.points[v]) for u, v in streets.city.graph.edges if u < v]


STYLE = (
    ".streets{stroke:currentColor;opacity:.2;stroke-linecap:round}"
    ".rail{fill:none;stroke:var(--rail,#3b7ddd);stroke-linecap:round;stroke-linejoin:round}"
    ".stop{fill:var(--rail,#3b7ddd)}"
    ".goal{fill:var(--goal,#2e9e5b)}"
    ".wrong{fill:none;stroke:var(--wrong,#d9483b)}"
    ".landmark{fill:var(--landmark,#c98a1b)}"
    "text{fill:currentColor;font-family:system-ui,sans-serif}"
    ".fault{fill:var(--wrong,#d9483b)}"
)
"""Colours follow the page: its text colour, and variables that it may set."""


def figure(route: Route, marks: Mapping[int, str]) -> str:
    """The map as SVG, as wide as its room.

    Args:
        marks: what was answered at stops where the policy went wrong, by the number of the stop.
    """
    xs, ys = [stop.x for stop in route.stops], [stop.y for stop in route.stops]
    left, top = min(xs) - MARGIN, max(ys) + MARGIN
    width, height = max(xs) + MARGIN - left, top - min(ys) + MARGIN
    unit = max(width, height) / 520
    labels = _Labels(unit, width, height)

    def at(x: float, y: float) -> Point:
        return round(x - left, 1), round(top - y, 1)

    streets = _streets(route)
    parts = [f'<g class="streets" stroke-width="{3 * unit:.1f}">']
    for start, end in _segments(streets):
        (x, y), (to_x, to_y) = at(*start), at(*end)
        if max(x, to_x) >= 0 and min(x, to_x) <= width and max(y, to_y) >= 0 and min(y, to_y) <= height:
            parts.append(f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"/>')
    rail = [at(stop.x, stop.y) for stop in route.stops]
    labels.keep_off(rail)
    path = " ".join(f"{x},{y}" for x, y in rail)
    parts.append(f'</g><polyline class="rail" points="{path}" stroke-width="{4 * unit:.1f}"/>')
    for number, stop in enumerate(route.stops):
        x, y = at(stop.x, stop.y)
        radius = {"turn": 6.0, "forward": 3.5, "stop": 8.0}[stop.expected] * unit
        kind = "goal" if stop.expected == "stop" else "stop"
        said = f"{number + 1}. {stop.expected}, facing {compass_word(stop.heading)}"
        parts.append(
            f'<circle class="{kind}" data-decision="{number}" cx="{x}" cy="{y}" r="{radius:.1f}">'
            f"<title>{escape(said)}</title></circle>"
        )
        labels.keep_clear(x, y, radius)
        if number in marks:
            parts.append(
                f'<circle class="wrong" cx="{x}" cy="{y}" r="{11 * unit:.1f}" stroke-width="{2.5 * unit:.1f}"/>'
            )
    spots = _spots(route.stops, streets)
    for spot in spots.values():
        labels.keep_clear(*at(*spot), 4 * unit)
    parts.append(labels.put("Start", *at(xs[0], ys[0]), "start"))
    for number, text in sorted(marks.items()):
        if 0 <= number < len(route.stops):
            parts.append(labels.put(text, *at(xs[number], ys[number]), "fault"))
    for name, spot in spots.items():
        x, y = at(*spot)
        side = 7 * unit
        corner = f'x="{x - side / 2:.1f}" y="{y - side / 2:.1f}"'
        parts.append(f'<rect class="landmark" {corner} width="{side:.1f}" height="{side:.1f}"/>')
        parts.append(labels.put(name, x, y, "name"))
    title = f"Route through {route.city.replace('_', ' ')}, {len(route.wordings)} legs"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}" style="width:100%;max-height:80vh">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>"
    )


class _Labels:
    """Puts texts beside points so that they cover neither each other nor a point."""

    def __init__(self, unit: float, width: float, height: float) -> None:
        self._unit, self._width, self._height = unit, width, height
        self._taken: list[tuple[float, float, float, float]] = []

    def keep_clear(self, x: float, y: float, radius: float) -> None:
        self._taken.append((x - radius, y - radius, x + radius, y + radius))

    def keep_off(self, path: list[Point]) -> None:
        """Keep clear of a line."""
        for (x, y), (to_x, to_y) in pairwise(path):
            steps = int(math.dist((x, y), (to_x, to_y)) / (4 * self._unit)) + 1
            for step in range(steps):
                self.keep_clear(x + (to_x - x) * step / steps, y + (to_y - y) * step / steps, 2 * self._unit)

    def put(self, text: str, x: float, y: float, kind: str) -> str:
        """A text element in the best position around (x, y)."""
        size = 13 * self._unit
        width, gap = 0.56 * size * len(text), 11 * self._unit
        corners = [
            (x + gap, y - size / 2), (x - gap - width, y - size / 2), (x - width / 2, y - gap - size),
            (x - width / 2, y + gap), (x + gap / 2, y - gap - size), (x + gap / 2, y + gap),
            (x - gap / 2 - width, y - gap - size), (x - gap / 2 - width, y + gap),
        ]  # fmt: skip
        best = min(corners, key=lambda corner: self._cost((*corner, corner[0] + width, corner[1] + size)))
        self._taken.append((*best, best[0] + width, best[1] + size))
        return (
            f'<text class="{kind}" x="{best[0]:.1f}" y="{best[1] + 0.8 * size:.1f}" '
            f'font-size="{size:.1f}">{escape(text)}</text>'
        )

    def _cost(self, box: tuple[float, float, float, float]) -> float:
        """What a box covers, in square units, and what of it lies outside of the map."""
        covered = sum(_overlap(box, other) for other in self._taken)
        whole = (box[2] - box[0]) * (box[3] - box[1])
        return covered + 3 * (whole - _overlap(box, (0.0, 0.0, self._width, self._height)))


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


COLUMNS, ROWS = 76, 24
"""Of the drawing in characters, at most. A character is taken to be twice as high as wide."""


def sketch(route: Route, number: int) -> str:
    """The way to stop `number` among its streets, north up, and below it what the signs mean."""
    walked = route.stops[: number + 1]
    reach = [(stop.x, stop.y) for stop in walked]
    left, right = min(x for x, _ in reach) - MARGIN, max(x for x, _ in reach) + MARGIN
    bottom, top = min(y for _, y in reach) - MARGIN, max(y for _, y in reach) + MARGIN
    scale = max((right - left) / (COLUMNS - 1), (top - bottom) / (2 * (ROWS - 1)))
    columns, rows = int((right - left) / scale) + 1, int((top - bottom) / (2 * scale)) + 1
    canvas = [[" "] * columns for _ in range(rows)]

    def put(at: Point, sign: str) -> None:
        column, row = round((at[0] - left) / scale), round((top - at[1]) / (2 * scale))
        if 0 <= column < columns and 0 <= row < rows:
            canvas[row][column] = sign

    def trace(segment: Segment, sign: str) -> None:
        (x, y), (to_x, to_y) = segment
        steps = int(max(abs(to_x - x) / scale, abs(to_y - y) / (2 * scale)) * 2) + 1
        for step in range(steps + 1):
            put((x + (to_x - x) * step / steps, y + (to_y - y) * step / steps), sign)

    streets = _streets(route)
    for segment in _segments(streets):
        trace(segment, "·")
    for start, end in pairwise(reach):
        trace((start, end), "#")
    letters = dict(zip("abcdefghijklmnopqrstuvwxyz", _spots(walked, streets).items(), strict=False))
    for letter, (_, spot) in letters.items():
        put(spot, letter)
    put(reach[0], "S")
    here = walked[-1]
    put(reach[-1], "@")
    legend = [f"S start   # way walked   @ you, facing {compass_word(here.heading)}"]
    legend += [f"{letter} {name}" for letter, (name, _) in letters.items()]
    drawn = "\n".join("".join(row).rstrip() for row in canvas).strip("\n")
    return "\n".join([drawn, *legend])
