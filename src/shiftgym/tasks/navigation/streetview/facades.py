"""Flat pictures of house fronts, painted once for each style and then only put into perspective."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from shiftgym.seeds import rng
from shiftgym.tasks.navigation.streetview.camera import TEXELS
from shiftgym.tasks.navigation.streetview.colours import Colour, shaded
from shiftgym.tasks.navigation.streetview.style import Houses

if TYPE_CHECKING:
    from PIL import Image

VARIANTS = 10
"""Different fronts of a style."""
GROUND = 1.2
"""Height of a ground floor, in storeys."""
LEVELS = 5
"""Resolutions of a front."""


@dataclass(frozen=True, slots=True, eq=False)
class Facade:
    levels: tuple["Image.Image", ...]
    """At full, half, quarter ... resolution."""
    width: float
    height: float
    """Metres, to the eaves."""
    wall: Colour
    roofing: Colour
    awning: Colour | None
    blade: Colour | None


@lru_cache(32)
def facades_of(houses: Houses) -> tuple[Facade, ...]:
    return tuple(_facade(houses, variant) for variant in range(VARIANTS))


class Front:
    """A front while it is painted. Coordinates are metres from its upper left corner."""

    def __init__(self, houses: Houses, stream: random.Random, wall: Colour, size: tuple[float, float]) -> None:
        from PIL import Image, ImageDraw

        self.houses, self.stream, self.wall = houses, stream, wall
        self.width, self.height = size
        self.image = Image.new("RGB", (round(size[0] * TEXELS), round(size[1] * TEXELS)), wall)
        self.pen = ImageDraw.Draw(self.image)
        self.accent = stream.choice(houses.accents)

    def rectangle(self, left: float, top: float, width: float, height: float, colour: Colour) -> None:
        corners = (left, top, left + width, top + height)
        x, y, to_x, to_y = (round(value * TEXELS) for value in corners)
        self.pen.rectangle((x, y, max(x, to_x - 1), max(y, to_y - 1)), colour)

    def line(self, x: float, y: float, to_x: float, to_y: float, colour: Colour, width: int = 1) -> None:
        self.pen.line([round(value * TEXELS) for value in (x, y, to_x, to_y)], colour, width)


def _facade(houses: Houses, variant: int) -> Facade:
    # The walls and the width are part of the stream's name, so no two styles share their fronts.
    stream = rng(variant, "navigation", "facade", repr((houses.walls, houses.width)))
    storeys = stream.randint(*houses.storeys)
    width = houses.width * stream.uniform(0.85, 1.15)
    wall = shaded(houses.walls[variant % len(houses.walls)], stream.uniform(0.94, 1.05))
    front = Front(houses, stream, wall, (width, (storeys + GROUND) * houses.storey + 0.5))
    _paint(front, storeys)
    levels = [front.image]
    for _ in range(LEVELS - 1):
        levels.append(levels[-1].reduce(2))
    return Facade(
        tuple(levels),
        width,
        front.height,
        wall,
        stream.choice(houses.roofing),
        front.accent if stream.random() < houses.awning[0] else None,
        stream.choice(houses.accents) if stream.random() < houses.blades else None,
    )


def _paint(front: Front, storeys: int) -> None:
    houses = front.houses
    for name in sorted(houses.extras & UNDER.keys()):
        UNDER[name](front)
    bays = max(2, round((front.width - 0.6) / houses.bay))
    bay = (front.width - 0.6) / bays
    for storey in range(storeys):
        top = 0.5 + storey * houses.storey
        for number in range(bays):
            _window(front, 0.3 + number * bay, top, bay)
        for name in sorted(houses.extras & ACROSS.keys()):
            ACROSS[name](front, top)
    FLOORS[houses.ground](front, front.height - GROUND * houses.storey)
    front.rectangle(0, 0, front.width, 0.32, houses.trim)
    front.rectangle(0, 0.32, front.width, 0.12, shaded(front.wall, 0.6))
    if "escape" in houses.extras and front.stream.random() < 0.55:
        _escape(front, storeys, 0.3 + bay * (bays // 2) - 0.2, bay + 0.4)
    if "parapet" in houses.extras:
        middle = front.width / 2
        front.rectangle(middle - 1.2, 0, 2.4, 0.75, houses.trim)
        front.rectangle(middle - 0.9, 0.15, 1.8, 0.45, front.accent)
    for left in (0.0, front.width - 0.1):
        front.rectangle(left, 0, 0.1, front.height, shaded(front.wall, 0.72))


def _window(front: Front, left: float, top: float, bay: float) -> None:
    houses, stream, extras = front.houses, front.stream, front.houses.extras
    width, height = bay * houses.window[0], houses.storey * houses.window[1]
    x, y = left + (bay - width) / 2, top + (houses.storey - height) * 0.45
    glass = shaded(houses.glass, stream.choice((0.75, 0.9, 1.0, 1.0, 1.2, 1.5)))
    if "verandas" in extras:
        front.rectangle(left + 0.15, top + 0.35, bay - 0.3, houses.storey - 0.5, shaded(front.wall, 0.62))
    if "bow" in extras:
        front.rectangle(x - 0.45, top + 0.1, width + 0.9, houses.storey - 0.15, shaded(front.wall, 1.06))
        front.rectangle(x - 0.45, top + 0.1, 0.3, houses.storey - 0.15, shaded(front.wall, 0.86))
        front.rectangle(x + width + 0.15, top + 0.1, 0.3, houses.storey - 0.15, shaded(front.wall, 0.78))
    front.rectangle(x - 0.12, y - 0.12, width + 0.24, height + 0.24, houses.trim)
    front.rectangle(x, y, width, height, glass)
    front.rectangle(x, y, width, 0.12, shaded(glass, 0.6))
    if "sashes" in extras:
        front.rectangle(x, y + height / 2 - 0.04, width, 0.09, houses.trim)
    front.rectangle(x + width / 2 - 0.04, y, 0.08, height, houses.trim)
    if "sills" in extras:
        front.rectangle(x - 0.2, y - 0.34, width + 0.4, 0.2, houses.trim)
        front.rectangle(x - 0.2, y + height + 0.1, width + 0.4, 0.13, shaded(houses.trim, 0.85))
    if "shutters" in extras:
        if stream.random() < 0.25:
            front.rectangle(x, y, width, height, front.accent)
        for side in (x - width * 0.52, x + width + 0.04):
            front.rectangle(side, y - 0.05, width * 0.48, height + 0.1, front.accent)
            for slat in range(1, 6):
                front.line(
                    side, y + height * slat / 6, side + width * 0.45, y + height * slat / 6, shaded(front.accent, 0.7)
                )
    if "balconies" in extras and stream.random() < 0.7:
        _railing(front, x - 0.45, y + height - 0.75, width + 0.9, 0.95, (38, 40, 42))
    if "verandas" in extras:
        _railing(front, left + 0.15, top + houses.storey - 1.0, bay - 0.3, 0.85, shaded(houses.trim, 0.9))
    if "shades" in extras:
        front.rectangle(x - 0.3, y - 0.32, width + 0.6, 0.2, shaded(front.wall, 1.1))
        front.rectangle(x - 0.3, y - 0.12, width + 0.6, 0.12, shaded(front.wall, 0.55))
    if "cooling" in extras and stream.random() < 0.4:
        front.rectangle(x + width * 0.25, y + height + 0.08, 0.75, 0.5, (196, 198, 196))
        front.rectangle(x + width * 0.25, y + height + 0.45, 0.75, 0.13, (120, 122, 122))


def _railing(front: Front, left: float, top: float, width: float, height: float, colour: Colour) -> None:
    front.rectangle(left, top, width, 0.1, colour)
    for bar in range(int(width / 0.25) + 1):
        front.line(left + bar * 0.25, top, left + bar * 0.25, top + height - 0.15, colour)
    front.rectangle(left - 0.08, top + height - 0.17, width + 0.16, 0.17, shaded(front.houses.trim, 0.8))


def _escape(front: Front, storeys: int, left: float, width: float) -> None:
    """Iron stairs before the wall."""
    iron, step = (35, 33, 34), front.houses.storey
    for storey in range(1, storeys + 1):
        y = 0.5 + storey * step - 0.35
        front.rectangle(left, y, width, 0.17, iron)
        front.rectangle(left, y - 0.9, width, 0.08, iron)
        for post in range(5):
            front.line(left + width * post / 4, y - 0.9, left + width * post / 4, y, iron)
        if storey < storeys:
            ends = (left + 0.4, left + width - 0.4) if storey % 2 else (left + width - 0.4, left + 0.4)
            front.line(ends[0], y, ends[1], y + step, iron, 3)


def _brick(front: Front) -> None:
    for course in range(int(front.height / 0.34)):
        front.line(0, course * 0.34, front.width, course * 0.34, shaded(front.wall, 0.92))
    for _ in range(int(front.width * front.height / 1.5)):
        x, course = front.stream.uniform(0, front.width), front.stream.randrange(int(front.height / 0.34))
        front.rectangle(x, course * 0.34, 0.5, 0.3, shaded(front.wall, front.stream.choice((0.86, 0.93, 1.1))))


def _stains(front: Front) -> None:
    for _ in range(int(front.width)):
        x, y = front.stream.uniform(0, front.width), front.stream.uniform(0, front.height * 0.7)
        light = front.stream.choice((0.84, 0.9, 0.94))
        front.rectangle(x, y, front.stream.uniform(0.2, 0.7), front.stream.uniform(1.0, 5.0), shaded(front.wall, light))


def _columns(front: Front) -> None:
    """Upright stripes of another tint, as on tower blocks."""
    for x in (0.0, front.width / 2 - 0.3, front.width - 0.6):
        front.rectangle(x, 0, 0.6, front.height, shaded(front.wall, 0.8))


def _stucco(front: Front) -> None:
    front.rectangle(0, front.height - 1.05 * GROUND * front.houses.storey, front.width, 9, front.houses.trim)


def _plinth(front: Front) -> None:
    """The lower part in another colour, as far as a brush reaches."""
    front.rectangle(0, front.height - 1.1, front.width, 1.1, front.accent)


def _rustic(front: Front) -> None:
    for course in range(12):
        y = front.height - 0.45 * course
        front.line(0, y, front.width, y, shaded(front.wall, 0.75))


def _bands(front: Front, top: float) -> None:
    front.rectangle(0, top + front.houses.storey - 0.16, front.width, 0.16, front.houses.trim)
    front.rectangle(0, top + front.houses.storey, front.width, 0.08, shaded(front.wall, 0.7))


def _lace(front: Front, top: float) -> None:
    """An iron verandah before the upper floor, all scallops."""
    trim, bottom = front.houses.trim, top + front.houses.storey
    front.rectangle(0, top + 0.25, front.width, 0.55, front.accent)
    for scallop in range(int(front.width / 0.6)):
        x, y, to_x, to_y = (
            round(value * TEXELS) for value in (scallop * 0.6, top + 0.55, scallop * 0.6 + 0.55, top + 1.1)
        )
        front.pen.ellipse((x, y, to_x, to_y), trim)
    for post in range(4):
        front.rectangle(post * (front.width - 0.15) / 3, top + 0.3, 0.15, front.houses.storey - 0.3, trim)
    _railing(front, 0, bottom - 1.1, front.width, 1.0, trim)


def _shops(front: Front, top: float) -> None:
    """Shop windows under a board, and a door."""
    bottom, dark = front.height, shaded(front.houses.glass, 0.6)
    front.rectangle(0, top, front.width, bottom - top, shaded(front.accent, 0.8))
    front.rectangle(0.2, top + 0.1, front.width - 0.4, 0.7, front.accent)
    panes = max(2, round(front.width / 2.6))
    pane = (front.width - 0.4) / panes
    door = front.stream.randrange(panes)
    for number in range(panes):
        x = 0.2 + number * pane
        height = bottom - top - (1.0 if number == door else 1.6)
        front.rectangle(x + 0.12, top + 0.95, pane - 0.24, height, dark)
        front.rectangle(x + 0.3, top + 1.1, pane * 0.3, height * 0.8, shaded(front.houses.glass, 1.35))
        if number == door:
            front.rectangle(x + pane * 0.5, top + 0.95, 0.1, height, front.houses.trim)


def _arcade(front: Front, top: float) -> None:
    """Round arches."""
    bottom, count = front.height, max(2, round(front.width / 3.4))
    front.rectangle(0, top, front.width, bottom - top, shaded(front.houses.trim, 0.93))
    front.rectangle(0, top, front.width, 0.22, front.houses.trim)
    for number in range(count):
        step = front.width / count
        x, width, dark = number * step + 0.45, step - 0.9, shaded(front.houses.glass, 0.62)
        box = (round(v * TEXELS) for v in (x, top + 0.5, x + width, top + 0.5 + width))
        front.pen.ellipse(tuple(box), dark)
        front.rectangle(x, top + 0.5 + width / 2, width, bottom, dark)
        inner = front.accent if number % 3 == 1 else shaded(front.houses.glass, 1.3)
        front.rectangle(x + 0.35, top + 0.6 + width / 2, width - 0.7, bottom, inner)


def _doors(front: Front, top: float) -> None:
    """A painted door with steps, and windows beside it."""
    houses, bottom = front.houses, front.height
    door = 0.7 if front.stream.random() < 0.5 else front.width - 1.9
    front.rectangle(door - 0.25, bottom - 3.3, 1.7, 3.3, shaded(houses.trim, 0.86))
    front.rectangle(door, bottom - 2.6, 1.2, 2.6, front.accent)
    front.rectangle(door, bottom - 3.1, 1.2, 0.4, houses.glass)
    front.rectangle(door - 0.3, bottom - 0.3, 1.8, 0.3, (150, 148, 142))
    first = 2.6 if door < front.width / 2 else 0.5
    for number in range(2):
        x, width = first + number * (front.width - 3.1) / 2, (front.width - 3.1) / 2 - 0.5
        front.rectangle(x - 0.1, top + 0.9, width + 0.2, 2.0, shaded(houses.trim, 0.8))
        front.rectangle(x, top + 1.0, width, 1.8, houses.glass)
        front.rectangle(x, top + 1.85, width, 0.1, houses.trim)
    for bar in range(int(front.width / 0.3)):
        if not door - 0.3 < bar * 0.3 < door + 1.5:
            front.line(bar * 0.3, bottom - 0.95, bar * 0.3, bottom, (25, 25, 28))
    front.rectangle(0, bottom - 1.0, door - 0.3, 0.08, (25, 25, 28))
    front.rectangle(door + 1.5, bottom - 1.0, front.width, 0.08, (25, 25, 28))


def _garages(front: Front, top: float) -> None:
    """A garage gate, and a flight of steps up to a door."""
    houses, bottom = front.houses, front.height
    gate = 0.5 if front.stream.random() < 0.5 else front.width - 3.5
    front.rectangle(gate - 0.15, bottom - 2.75, 3.3, 2.75, houses.trim)
    front.rectangle(gate, bottom - 2.6, 3.0, 2.6, shaded(front.wall, 0.75))
    for slat in range(1, 5):
        front.line(gate, bottom - 0.52 * slat, gate + 3.0, bottom - 0.52 * slat, shaded(front.wall, 0.55))
    door = gate + 4.0 if gate < 1 else gate - 2.3
    front.rectangle(door - 0.2, top + 0.2, 1.9, bottom - top - 0.9, houses.trim)
    front.rectangle(door, top + 0.4, 1.5, bottom - top - 1.2, front.accent)
    for step in range(5):
        front.rectangle(
            door - 0.3, bottom - 0.2 * (step + 1), 2.1, 0.18, shaded((196, 190, 180), 1 - 0.05 * (step % 2))
        )


def _stalls(front: Front, top: float) -> None:
    """Open shops behind shutters, some of them down, and goods before them."""
    bottom, count = front.height, max(2, round(front.width / 3.2))
    step = front.width / count
    for number in range(count):
        x, colour = number * step + 0.25, front.stream.choice(front.houses.accents)
        closed = front.stream.random() < 0.3
        front.rectangle(x, top + 0.25, step - 0.5, 0.65, colour)
        inside = (150, 150, 146) if closed else (52, 44, 38)
        front.rectangle(x, top + 0.95, step - 0.5, bottom, inside)
        if closed:
            for slat in range(8):
                y = top + 1.05 + slat * 0.3
                front.line(x, y, x + step - 0.55, y, (112, 112, 110))
        else:
            for shelf in range(3):
                for item in range(int((step - 0.7) / 0.5)):
                    tint = front.stream.choice(front.houses.accents)
                    front.rectangle(x + 0.15 + item * 0.5, bottom - 0.75 - shelf * 0.65, 0.38, 0.42, tint)


UNDER: dict[str, Callable[[Front], None]] = {
    "brick": _brick,
    "stains": _stains,
    "columns": _columns,
    "plinth": _plinth,
    "stucco": _stucco,
    "rustic": _rustic,
}
ACROSS: dict[str, Callable[[Front, float], None]] = {"bands": _bands, "lace": _lace}
FLOORS: dict[str, Callable[[Front, float], None]] = {
    "shops": _shops,
    "arcade": _arcade,
    "doors": _doors,
    "garages": _garages,
    "stalls": _stalls,
}
WITH_WINDOWS = ("balconies", "bow", "cooling", "sashes", "shades", "shutters", "sills", "verandas")
EXTRAS = frozenset({*UNDER, *ACROSS, *WITH_WINDOWS, "escape", "parapet"})
"""Of `Houses.extras`."""
