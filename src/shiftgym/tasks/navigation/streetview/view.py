"""Street views: four pictures of 90 degrees of what one sees at a location, painted with Pillow.

A small world is laid out around the viewer (streets, rows of houses, furniture) and painted once for each view, the far
things first. Every part has a random stream of its own, named by the bearing of its street, so that one more street
changes nothing elsewhere.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from shiftgym.seeds import rng
from shiftgym.tasks.navigation.directions import SPATIAL
from shiftgym.tasks.navigation.streetview import signs
from shiftgym.tasks.navigation.streetview.camera import EYE, STEPS, Camera, Corner, haze
from shiftgym.tasks.navigation.streetview.colours import Colour, shaded
from shiftgym.tasks.navigation.streetview.furniture import (
    PARKED,
    Street,
    Thing,
    lamp,
    name_pole,
    small_thing,
    thing,
    traffic_light,
    tree,
    vehicle,
)
from shiftgym.tasks.navigation.streetview.houses import REACH, rows
from shiftgym.tasks.navigation.streetview.style import Air, Ground, Style
from shiftgym.tasks.navigation.streetview.styles import style_of

if TYPE_CHECKING:
    from PIL import Image

CLOSE = 9.5
"""Nothing higher than the eye stands nearer than so many metres, so that nothing hides a sign."""
SIGN = 6.5
"""Metres to a landmark's sign: less than to any house."""
BOARD = (0.58, 0.3)
"""Width and height of its board, in views."""
FOOT = 0.475
"""Lower edge of the board, in views from the top."""
EDGE = 0.68
"""Middle of a sign at the right of its view, in views from the left."""
CREST = 0.17
"""Side of the disc with the pictogram, in views."""
BEND = 30
"""Degrees."""
LINE = (24, 24, 26)
"""Between the views."""


@dataclass(frozen=True, slots=True)
class StreetPicture:
    """What is seen at a location: a 2x2 grid of views of 90 degrees, "front, right / back, left", a dark line between.

    A sign always stands whole in one view, though some of its directions lie between two. Where it stands tells them
    apart: each view has one in its middle and the next one clockwise at its right edge.

        front: in the middle of the front view      right front: at the right of the front view
        right: in the middle of the right view      right behind: at the right of the right view
        behind: in the middle of the back view      left behind: at the right of the back view
        left: in the middle of the left view        left front: at the right of the left view
    """

    city: str
    """A city with a style of its own, or any other name."""
    exits: tuple[int, ...]
    """Bearings of the streets that leave this location, at least one: whole degrees clockwise from where one faces."""
    sign: tuple[str, str] | None
    """A landmark's name, and its direction in `directions.SPATIAL`."""
    size: int
    """Pixels of the grid's side; a view has half of it."""
    seed: int
    """Of all random details: houses, vehicles, trees, sky."""

    def draw(self) -> "Image.Image":
        from PIL import Image

        style, streams = style_of(self.city), partial(rng, self.seed, "navigation", "street view")
        streets = lay_streets(self.exits, style.ground)
        crossing = is_crossing(streets)
        marks = tuple(_markings(style.ground, streets, crossing, streams))
        things = [*rows(style, streets, streams), *_furnish(style, streets, crossing, streams)]
        if self.sign:
            things.append(_posts(style.furniture.metal, self.sign[1]))
        things.sort(key=lambda it: -it.distance)
        side, gap = self.size // 2, max(1, self.size // 400)
        grid = Image.new("RGB", (self.size, self.size), LINE)
        for quarter in range(4):
            camera = Camera(_backdrop(style.air, style.ground, side).copy(), quarter, style.air)
            _clouds(style.air, camera, streams("sky", quarter))
            _roads(style.ground, streets, camera)
            for corners, colour, distance in marks:
                camera.polygon(corners, camera.tone(colour, distance))
            for it in things:
                if camera.sees(*it.at, it.reach):
                    it.paint(camera)
            if self.sign and SPATIAL.index(self.sign[1]) // 2 == quarter:
                _hang(camera, *self.sign)
            # The line takes its pixels from the views' inner borders.
            x, y = quarter % 2, quarter // 2
            inner = camera.canvas.crop((gap * x, gap * y, side - gap * (1 - x), side - gap * (1 - y)))
            grid.paste(inner, (x * (self.size - side) + gap * x, y * (self.size - side) + gap * y))
        return grid


def lay_streets(exits: tuple[int, ...], ground: Ground) -> tuple[Street, ...]:
    """The streets in clockwise order, each with where it begins between its neighbours."""
    bearings = sorted({bearing % 360 for bearing in exits})
    streets = []
    for index, bearing in enumerate(bearings):
        before, after = bearings[index - 1], bearings[(index + 1) % len(bearings)]
        gaps = (bearing - before - 1) % 360 + 1, (after - bearing - 1) % 360 + 1
        corners, walls = (
            (_meeting(gaps[0], half), _meeting(gaps[1], half)) for half in (ground.half, ground.half + ground.side)
        )
        angle = math.radians(bearing)
        streets.append(Street(bearing, (math.sin(angle), math.cos(angle)), corners, walls))
    return tuple(streets)


def is_crossing(streets: tuple[Street, ...]) -> bool:
    """Whether this is more than a point on a street that goes on, straight or in a slight bend."""
    return len(streets) != 2 or abs(streets[1].bearing - streets[0].bearing - 180) > BEND


def _meeting(gap: int, half: float) -> float:
    """How far along two streets their sides meet, so many degrees apart; no more than `half` behind."""
    if gap == 180:
        return 0.0
    return max(-half, half / math.tan(math.radians(gap / 2))) if gap < 270 else -half


@lru_cache(64)
def _backdrop(air: Air, ground: Ground, side: int) -> "Image.Image":
    """Sky above, pavement below."""
    from PIL import Image

    column = Image.new("RGB", (1, side))
    horizon = side / 2
    for row in range(side):
        if row < horizon:
            share = (row / horizon) ** 1.3
            sky = tuple(round(a + (b - a) * share) for a, b in zip(air.zenith, air.horizon, strict=True))
            column.putpixel((0, row), sky)
        else:
            lost = haze(air, EYE * horizon / (row + 0.5 - horizon)) / STEPS
            mixed = tuple(round(a + (b - a) * lost) for a, b in zip(ground.pavement, air.horizon, strict=True))
            column.putpixel((0, row), mixed)
    return column.resize((side, side), Image.Resampling.NEAREST)


def _clouds(air: Air, camera: Camera, stream: random.Random) -> None:
    for _ in range(stream.randint(0, air.clouds)):
        x, y, size = stream.random(), stream.uniform(0.03, 0.3), stream.uniform(0.05, 0.12)
        for _ in range(4):
            at, up, wide = x + stream.uniform(-1.2, 1.2) * size, y + stream.uniform(-0.2, 0.2) * size, size
            corners = (at - wide, up - wide * 0.28, at + wide, up + wide * 0.28)
            colour = camera.tone(air.cloud, stream.uniform(12, 60))
            camera.pen.ellipse([value * camera.side for value in corners], colour)


def _roads(ground: Ground, streets: tuple[Street, ...], camera: Camera) -> None:
    stretches = ((0.0, 9.0), (9.0, 22.0), (22.0, 45.0), (45.0, REACH))
    for colour, half in ((ground.kerb, ground.half + 0.3), (ground.road, ground.half)):
        ring = [(half * math.sin(step * math.pi / 8), half * math.cos(step * math.pi / 8), 0.0) for step in range(16)]
        camera.polygon(ring, camera.tone(colour, 0.0))
        for street in streets:
            for near, far in stretches:
                corners = ((near, -half), (far, -half), (far, half), (near, half))
                tone = camera.tone(colour, (near + far) / 2)
                camera.polygon([(*street.spot(*corner), 0.0) for corner in corners], tone)


Mark = tuple[tuple[Corner, ...], Colour, float]
"""A polygon on the road, its colour and how far away it is."""


def _markings(
    ground: Ground, streets: tuple[Street, ...], crossing: bool, streams: Callable[..., random.Random]
) -> Iterator[Mark]:
    """Rails, lines and zebra crossings. A zebra is likely at an intersection and possible elsewhere."""
    shared = streams("zebras")
    zebras, zebra_at = shared.random() < (0.55 if crossing else 0.15), shared.uniform(5.0, 14.0)
    for street in streets:
        start = max(0.0, *street.corners)
        if ground.rails:
            for right in (-2.3, -0.9, 0.9, 2.3):
                yield _mark(street, (0.0, REACH), (right - 0.06, right + 0.06), shaded(ground.road, 0.55))
        first = start + (4.2 if crossing else 0.0)
        if ground.lines == "dashes":
            for dash in range(8):
                near = first + 6.0 * dash + 1.0
                yield _mark(street, (near, near + 3.0), (-0.08, 0.08), ground.paint)
        elif ground.lines == "double":
            for right in (-0.22, 0.1):
                yield _mark(street, (first, REACH), (right, right + 0.12), ground.paint)
        if zebras and streams("zebra", street.bearing).random() < (0.85 if crossing else 0.6):
            near = start + (0.8 if crossing else zebra_at)
            count = round(ground.half * 2 / 1.05)
            for bar in range(count):
                right = -ground.half + (bar + 0.25) * 2 * ground.half / count
                yield _mark(street, (near, near + 2.8), (right, right + 0.55), ground.paint)


def _mark(street: Street, along: tuple[float, float], right: tuple[float, float], colour: Colour) -> Mark:
    corners = tuple(
        (*street.spot(a, right[b]), 0.0) for a, b in ((along[0], 0), (along[1], 0), (along[1], 1), (along[0], 1))
    )
    return corners, colour, min(sum(along) / 2, 30.0)


def _furnish(
    style: Style, streets: tuple[Street, ...], crossing: bool, streams: Callable[..., random.Random]
) -> Iterator[Thing]:
    """What stands and drives in the streets. What marks an intersection is only sometimes there, and now and then
    elsewhere too."""
    ground, furniture, shared = style.ground, style.furniture, streams("cues")
    lights = shared.random() < (0.45 if crossing else 0.08)
    poles = shared.random() < (0.5 if crossing else 0.06)
    lit = shared.randrange(3)
    for street in streets:
        stream = streams("furniture", street.bearing)
        u, v = street.ahead
        start, kerb = max(0.0, *street.corners), ground.half + 0.9
        for side in (-1, 1):
            inwards = (-v * side, u * side)
            along = stream.uniform(0.3, 1.0) * furniture.spacing
            while along < 75:
                if along > max(CLOSE, start + 3) and stream.random() < 0.85:
                    yield tree(furniture, street.spot(along, side * (kerb + 0.4)), stream)
                along += furniture.spacing * stream.uniform(0.85, 1.15)
            for lamp_at in (stream.uniform(0, 24) + 27 * number for number in range(3)):
                if lamp_at > max(CLOSE, start + 1):
                    yield lamp(furniture, street.spot(lamp_at, side * kerb), inwards)
            for kind, colour in furniture.things:
                thing_at = stream.uniform(1, 32)
                if (
                    stream.random() < 0.45
                    and thing_at > start + 2
                    and (kind not in ("booth", "parasol") or thing_at > CLOSE)
                ):
                    yield small_thing(kind, colour, street.spot(thing_at, side * (kerb + 0.2)), street.ahead)
            yield from _vehicles(style, street, side, start, stream)
            for wire in range(ground.wires):
                high = 7.4 - 0.5 * wire
                ends = street.spot(start, side * (kerb + wire * 0.3)), street.spot(70.0, side * (kerb + wire * 0.3))
                yield thing(street.spot(35.0, 0.0), 36.0, partial(_wire, ((*ends[0], high), (*ends[1], high))))
        near = max(start + 2.5, CLOSE - 1.5)
        if lights:
            yield traffic_light(furniture.metal, street.spot(near, kerb - 0.3), lit)
        if poles:
            yield name_pole(furniture.plate, furniture.metal, street.spot(near + 0.8, -kerb), street.ahead)


def _wire(ends: tuple[Corner, Corner], camera: Camera) -> None:
    camera.line(*ends, 0.03, (52, 52, 54))


def _vehicles(style: Style, street: Street, side: int, start: float, stream: random.Random) -> Iterator[Thing]:
    """Some parked along the kerb, some driving on that side of the street."""
    u, v = street.ahead
    way = (u * -side, v * -side)
    along = start + stream.uniform(4.5, 11.0)
    while along < 55:
        kind = stream.choice(style.traffic)
        if kind.kind in PARKED and stream.random() < 0.5:
            yield vehicle(kind, street.spot(along, side * (style.ground.half - 1.1)), way)
        along += stream.uniform(5.6, 9.0)
    along = start + stream.uniform(14, 40)
    for _ in range(2):
        kind = stream.choice(style.traffic)
        if stream.random() < 0.6:
            yield vehicle(kind, street.spot(along, side * max(1.3, style.ground.half - 3.1)), way)
        along += stream.uniform(16, 30)


def _view_of(where: str) -> tuple[int, float]:
    """In which view a sign stands, and where its middle is, in views from the left."""
    number = SPATIAL.index(where)
    return number // 2, EDGE if number % 2 else 0.5


def _posts(metal: Colour, where: str) -> Thing:
    """The posts of a sign; its board is painted last of all."""
    quarter, middle = _view_of(where)

    def paint(camera: Camera) -> None:
        if camera.quarter == quarter:
            bottom, low = (0.5 + EYE / SIGN / 2) * camera.side, FOOT * camera.side
            for share in (-0.42, 0.42):
                x, width = (middle + share * BOARD[0]) * camera.side, 0.009 * camera.side
                camera.pen.rectangle((x - width, low - 2, x + width, bottom), metal)

    return Thing((0.0, 0.0), 2 * SIGN, paint, SIGN)


def _hang(camera: Camera, name: str, where: str) -> None:
    """The board of a sign with its crest, in pixels and not in perspective, so that it can be read."""
    _, middle = _view_of(where)
    side, bottom = camera.side, round(FOOT * camera.side)
    width, height, crest = (round(share * side) for share in (*BOARD, CREST))
    left = round(middle * side - width / 2)
    camera.canvas.paste(signs.board(name, width, height), (left, bottom - height))
    disc, mask = signs.crest(name, crest)
    camera.canvas.paste(disc, (left + (width - crest) // 2, bottom - height - round(0.82 * crest)), mask)
