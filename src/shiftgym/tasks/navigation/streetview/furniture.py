"""What stands and drives in streets: vehicles, trees, lamps, traffic lights and small things."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shiftgym.tasks.navigation.streetview.camera import Camera, Spot
from shiftgym.tasks.navigation.streetview.colours import Colour, shaded
from shiftgym.tasks.navigation.streetview.style import Furniture, Vehicle

TIRE, PANE, BLACK = (28, 28, 30), (52, 62, 72), (22, 22, 24)
SIGNALS = ((214, 48, 38), (240, 180, 40), (44, 176, 84))


@dataclass(frozen=True, slots=True)
class Thing:
    """Something to be painted, the far ones first."""

    at: Spot
    reach: float
    """Metres around `at` in which it lies."""
    paint: Callable[[Camera], None]
    distance: float


def thing(at: Spot, reach: float, paint: Callable[[Camera], None]) -> Thing:
    return Thing(at, reach, paint, math.hypot(*at))


@dataclass(frozen=True, slots=True)
class Street:
    """One street from where one stands, and spots on it."""

    bearing: int
    ahead: Spot
    """The unit vector along it."""
    corners: Spot
    """Metres along it at which its left and its right carriageway edge begin."""
    walls: Spot
    """The same of its rows of houses."""

    def spot(self, along: float, right: float) -> Spot:
        u, v = self.ahead
        return u * along + v * right, v * along - u * right


Part = tuple[float, float, float, float, float, str]
"""A box of a vehicle: back and front end, half width, lower and upper edge (metres), which colour."""
SHAPES: Mapping[str, tuple[Part, ...]] = {
    "car": (
        (-2.2, 2.2, 0.9, 0.3, 0.95, "body"), (-1.6, 1.0, 0.8, 0.95, 1.36, "pane"),
        (-1.5, 0.8, 0.78, 1.36, 1.46, "roof"),
    ),
    "van": (
        (-2.3, 2.3, 0.95, 0.35, 1.0, "body"), (-2.3, 2.3, 0.95, 1.0, 1.2, "stripe"),
        (-2.25, 1.9, 0.9, 1.2, 1.75, "pane"), (-2.25, 1.8, 0.9, 1.75, 2.05, "roof"),
    ),
    "bus": (
        (-5, 5, 1.25, 0.35, 1.1, "body"), (-5, 5, 1.25, 1.1, 1.4, "stripe"), (-5, 5, 1.25, 1.4, 2.4, "pane"),
        (-5, 5, 1.25, 2.4, 3.0, "roof"),
    ),
    "tall bus": (
        (-5, 5, 1.25, 0.35, 1.4, "body"), (-5, 5, 1.25, 1.4, 2.1, "pane"), (-5, 5, 1.25, 2.1, 2.8, "stripe"),
        (-5, 5, 1.25, 2.8, 3.6, "pane"), (-5, 5, 1.25, 3.6, 4.3, "roof"),
    ),
    "tram": (
        (-7, 7, 1.2, 0.3, 1.2, "body"), (-7, 7, 1.2, 1.2, 1.5, "stripe"), (-7, 7, 1.2, 1.5, 2.5, "pane"),
        (-7, 7, 1.2, 2.5, 3.1, "roof"), (-5, 5, 0.7, 3.1, 3.5, "body"),
    ),
    "rickshaw": (
        (-1.3, 1.3, 0.65, 0.25, 0.95, "body"), (-1.1, 0.9, 0.6, 0.95, 1.45, "pane"),
        (-1.25, 1.0, 0.66, 1.45, 1.85, "roof"),
    ),
}  # fmt: skip
PARKED = frozenset({"car", "van", "rickshaw"})
"""Lower than the viewer's eye, so that they hide little from near by."""


def vehicle(kind: Vehicle, at: Spot, along: Spot) -> Thing:
    """A vehicle that heads `along`."""
    shape = SHAPES[kind.kind]
    length, width = shape[0][1], shape[0][2]
    colours = {"body": kind.body, "pane": PANE, "roof": kind.roof, "stripe": kind.stripe or kind.body}
    (x, y), (u, v) = at, along
    distance = math.hypot(x, y)

    def corner(ahead: float, right: float) -> Spot:
        return x + u * ahead + v * right, y + v * ahead - u * right

    side = math.copysign(width + 0.02, -(x * v - y * u))  # the flank and the end that are seen from here
    end = math.copysign(length + 0.02, -(x * u + y * v))
    lights = (252, 246, 214) if end > 0 else (196, 28, 28)

    def paint(camera: Camera) -> None:
        shadow = [corner(a * (length + 0.25), b * (width + 0.25)) for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
        camera.polygon([(*spot, 0.0) for spot in shadow], camera.tone((46, 46, 50), distance))
        for back, front, half, low, high, colour in shape:
            tops = colours["roof"] if colour == "roof" else colours["body"]
            camera.box(at, along, (back, front), (-half, half), (low, high), (colours[colour], tops))
        if not camera.fine(distance):
            return
        tire = camera.tone(TIRE, distance)
        for axle in (-0.62 * length, 0.62 * length):
            ring = [(axle + 0.36 * math.cos(step), 0.36 + 0.36 * math.sin(step)) for step in OCTAGON]
            camera.polygon([(*corner(ahead, side), up) for ahead, up in ring], tire)
        for middle in (-0.68 * width, 0.68 * width):
            camera.upright(
                corner(end, middle - 0.18), corner(end, middle + 0.18), 0.55, 0.8, camera.tone(lights, distance)
            )

    return thing(at, length + 1, paint)


OCTAGON = tuple(math.pi * (2 * step + 1) / 8 for step in range(8))


def tree(furniture: Furniture, at: Spot, stream: random.Random) -> Thing:
    kind, distance = furniture.tree, math.hypot(*at)
    size, leaves = stream.uniform(0.85, 1.2), stream.choice(furniture.leaves)
    trunk, crown, girth = {
        "round": (2.6, 2.0, 0.16), "tall": (4.4, 2.1, 0.2), "spreading": (3.0, 2.7, 0.28), "palm": (6.4, 2.2, 0.17),
    }[kind]  # fmt: skip
    trunk, crown = trunk * size, crown * size
    tufts = [(stream.uniform(-0.6, 0.6), stream.uniform(-0.35, 0.5), stream.uniform(0.88, 1.15)) for _ in range(4)]

    def paint(camera: Camera) -> None:
        bark = camera.tone((104, 86, 68), distance)
        camera.line((*at, 0.0), (*at, trunk + 0.4 * crown), 2 * girth, bark)
        foot = camera.project(*at, trunk)
        if foot is None:
            return
        column, row, scale = foot
        if kind == "palm":
            for step in range(9):
                angle = math.pi * step / 8
                light = camera.tone(shaded(leaves, 0.85 + 0.05 * (step % 4)), distance)
                across, up = crown * math.cos(angle) * scale, crown * math.sin(angle) * scale
                tip = (column + across, row - 0.4 * up + 0.45 * abs(across))
                bend = (column + 0.55 * across, row - 0.55 * up - 0.18 * crown * scale)
                camera.pen.polygon([(column, row), bend, tip, (bend[0], bend[1] + 0.2 * crown * scale)], light)
            return
        flat = 1.25 if kind == "tall" else 0.62 if kind == "spreading" else 0.9
        middle = trunk + 0.75 * crown * flat
        camera.disc((*at, middle), crown, crown * flat, camera.tone(shaded(leaves, 0.8), distance))
        for aside, over, bright in tufts:
            width = 0.55 * crown
            u, v = camera.cosine, -camera.sine  # the view's right, in the world
            spot = (at[0] + u * aside * crown, at[1] + v * aside * crown, middle + over * crown * flat)
            camera.disc(spot, width, width * 0.8 * flat, camera.tone(shaded(leaves, bright), distance))

    return thing(at, 3.5, paint)


def lamp(furniture: Furniture, at: Spot, inwards: Spot) -> Thing:
    """A street lamp; `inwards` is the unit vector to the middle of the street."""
    distance, kind = math.hypot(*at), furniture.lamp

    def paint(camera: Camera) -> None:
        metal, glow = camera.tone(furniture.metal, distance), camera.tone((250, 240, 205), distance)
        height = {"arm": 7.2, "pole": 7.6, "globe": 4.6, "lantern": 4.4}[kind]
        camera.line((*at, 0.0), (*at, height), 0.14, metal)
        head = (at[0] + 1.7 * inwards[0], at[1] + 1.7 * inwards[1])
        if kind == "arm":
            camera.line((*at, height), (*head, height + 0.3), 0.12, metal)
            camera.disc((*head, height + 0.2), 0.38, 0.16, glow)
        elif kind == "pole":
            across = (at[0] - 0.9 * inwards[0], at[1] - 0.9 * inwards[1])
            camera.line((*across, height - 0.6), (*head, height - 0.6), 0.12, metal)
            camera.disc((*head, height - 0.8), 0.25, 0.2, glow)
        elif kind == "globe":
            camera.disc((*at, height + 0.3), 0.42, 0.42, glow)
        else:
            camera.disc((*at, height + 0.35), 0.3, 0.5, metal)
            camera.disc((*at, height + 0.3), 0.2, 0.36, glow)

    return thing(at, 2.5, paint)


def traffic_light(metal: Colour, at: Spot, lit: int) -> Thing:
    distance = math.hypot(*at)

    def paint(camera: Camera) -> None:
        camera.line((*at, 0.0), (*at, 3.2), 0.16, camera.tone(metal, distance))
        head = camera.project(*at, 3.7)
        if head:
            column, row, scale = head
            wide, tall = 0.3 * scale, 0.75 * scale
            camera.pen.rectangle((column - wide, row - tall, column + wide, row + tall), BLACK)
            for number, signal in enumerate(SIGNALS):
                colour = signal if number == lit else shaded(signal, 0.3)
                camera.disc((*at, 4.18 - 0.48 * number), 0.19, 0.19, colour)

    return thing(at, 1.0, paint)


def name_pole(plate: Colour, metal: Colour, at: Spot, along: Spot) -> Thing:
    """A pole with two blank plates, as for the names of two streets."""
    distance, (x, y), (u, v) = math.hypot(*at), at, along

    def paint(camera: Camera) -> None:
        camera.line((*at, 0.0), (*at, 3.0), 0.1, camera.tone(metal, distance))
        for low, a, b in ((2.85, u, v), (2.5, v, -u)):
            ends = (x - 0.65 * a, y - 0.65 * b), (x + 0.65 * a, y + 0.65 * b)
            camera.upright(*ends, low, low + 0.32, camera.tone(plate, distance, 0.9))

    return thing(at, 1.0, paint)


def small_thing(kind: str, colour: Colour, at: Spot, along: Spot) -> Thing:
    """Something on the pavement: a hydrant, a post box, a bin, a booth, a parasol."""
    distance = math.hypot(*at)

    def paint(camera: Camera) -> None:
        paint_thing, shade = camera.tone(colour, distance), shaded(colour, 0.8)
        if kind == "parasol":
            camera.line((*at, 0.0), (*at, 1.9), 0.08, camera.tone((90, 80, 70), distance))
            camera.box(at, along, (-0.5, 0.5), (-0.4, 0.4), (0.0, 0.75), ((150, 118, 80), (196, 150, 90)))
            top, rim = camera.project(*at, 2.25), camera.project(*at, 1.8)
            if top and rim:
                reach = 1.3 * rim[2]
                camera.pen.polygon([(rim[0] - reach, rim[1]), top[:2], (rim[0] + reach, rim[1])], paint_thing)
            return
        half, height = {"hydrant": (0.16, 0.75), "box": (0.3, 1.5), "bin": (0.3, 1.05), "booth": (0.5, 2.3)}[kind]
        camera.box(at, along, (-half, half), (-half, half), (0.0, height), (colour, shade))
        if kind == "hydrant":
            camera.disc((*at, height), half, half, paint_thing)
            camera.box(at, along, (-0.3, 0.3), (-0.08, 0.08), (0.4, 0.55), (colour, shade))
        elif kind == "booth":
            for flank in (-half - 0.01, half + 0.01):
                camera.box(at, along, (-0.35, 0.35), (flank, flank), (0.7, 1.9), (PANE, PANE))

    return thing(at, 1.5, paint)
