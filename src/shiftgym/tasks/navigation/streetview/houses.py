"""Rows of houses along streets, and each of them in three dimensions."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from shiftgym.tasks.navigation.streetview.camera import EYE, Camera, Spot
from shiftgym.tasks.navigation.streetview.colours import Colour, shaded
from shiftgym.tasks.navigation.streetview.facades import Facade, facades_of
from shiftgym.tasks.navigation.streetview.furniture import Street, Thing, thing
from shiftgym.tasks.navigation.streetview.style import Houses, Style

REACH = 100.0
"""Metres to the end of what is seen of a street."""
DEPTH = 9.0
"""Metres from a house's front to its back."""
NARROW = 3.5
"""A house cut off at a corner keeps at least so many metres."""
SHIFT = 4.0
"""Along a straight row a house begins within so many metres of being abreast."""
SLOPES = {"pitched": (4.0, 2.3), "mansard": (3.2, 0.8)}
"""Of roofs whose ridge is along the street: how far it is above the eaves, and how far behind."""


@dataclass(frozen=True, slots=True)
class House:
    facade: Facade
    left: Spot
    right: Spot
    """Ends of its front, as seen from here."""
    inwards: Spot
    """The unit vector from the street into the house."""
    near: Spot
    """The end of it that is nearer along the street."""
    flank: bool
    """Whether one may see past that end, which is not so at a corner."""
    away: float
    """Metres to the line of its front."""
    shade: float
    """How light its front is."""


def rows(style: Style, streets: tuple[Street, ...], streams: Callable[..., random.Random]) -> Iterator[Thing]:
    """The houses on both sides of each street, and across where a street ends."""
    facades, half = facades_of(style.houses), style.ground.half + style.ground.side
    light = streams("light")
    sun, shift = light.uniform(0, 2 * math.pi), light.uniform(-SHIFT, SHIFT)
    build = partial(_house, style.houses, sun)
    for street in streets:
        for side, start in zip((-1, 1), street.walls, strict=True):
            stream = streams("houses", street.bearing, side)
            ends = [shift * side - stream.uniform(0.6, 1.4) * style.houses.width]
            while ends[-1] < REACH:
                # Farther houses are wider: fewer of them are alike.
                ends.append(ends[-1] + style.houses.width * stream.uniform(0.8, 1.2) * (1 + max(ends[-1], 0) / 90))
            first = shift * side if start == 0.0 else start
            kept = [first, *(end for end in ends if end > first + NARROW)]
            numbers = range(len(ends) - len(kept), len(ends))
            picks = [stream.randrange(len(facades)) for _ in range(80)]
            for (near, far), number in zip(pairwise(kept), numbers, strict=False):
                front = street.spot(near, side * half), street.spot(far, side * half)
                yield build(facades[picks[number]], *front, near > first)
        end = street.spot(REACH, -half), street.spot(REACH, half)
        yield thing(street.spot(REACH, 0.0), half, partial(_end, style, end))
    yield from _across(build, facades, streets, half, streams("across"))


def _across(
    build: Callable[[Facade, Spot, Spot, bool], Thing],
    facades: tuple[Facade, ...],
    streets: tuple[Street, ...],
    half: float,
    stream: random.Random,
) -> Iterator[Thing]:
    """Houses between the right side of a street and the left side of the next, where these do not meet."""
    for street, following in zip(streets, streets[1:] + streets[:1], strict=True):
        start, end = street.spot(street.walls[1], half), following.spot(following.walls[0], -half)
        count = max(1, round(math.dist(start, end) / facades[0].width))
        spots = [_between(start, end, number / count) for number in range(count + 1)]
        for one, other in pairwise(spots) if math.dist(start, end) > 1.0 else ():
            yield build(stream.choice(facades), one, other, False)


def _house(houses: Houses, sun: float, facade: Facade, start: Spot, end: Spot, flank: bool) -> Thing:
    """A house whose front is between two spots; `flank` says whether one sees past the first of them."""
    clockwise = start[0] * end[1] - start[1] * end[0] < 0
    left, right = (start, end) if clockwise else (end, start)
    length = math.dist(left, right)
    inwards = (left[1] - right[1]) / length, (right[0] - left[0]) / length
    shade = 0.86 - 0.16 * (inwards[0] * math.sin(sun) + inwards[1] * math.cos(sun))
    away = abs(left[0] * right[1] - left[1] * right[0]) / length
    house = House(facade, left, right, inwards, start, flank, away, shade)
    middle = (left[0] + right[0]) / 2, (left[1] + right[1]) / 2
    nearest = min(math.hypot(*left), math.hypot(*right))
    along = [x * (right[0] - left[0]) + y * (right[1] - left[1]) for x, y in (left, right)]
    distance = away if along[0] < 0 < along[1] else nearest
    return Thing(middle, length / 2 + DEPTH, partial(_paint, houses, house, distance), distance)


def _end(style: Style, ends: tuple[Spot, Spot], camera: Camera) -> None:
    """What closes a street far away."""
    camera.upright(*ends, 0.0, 11.0, camera.tone(style.houses.walls[0], REACH, 0.8))


def _paint(houses: Houses, house: House, distance: float, camera: Camera) -> None:
    facade, (left, right), (u, v) = house.facade, (house.left, house.right), house.inwards
    top = facade.height

    def back(spot: Spot, metres: float) -> Spot:
        return spot[0] + u * metres, spot[1] + v * metres

    def tone(colour: Colour, shade: float) -> Colour:
        return camera.tone(colour, distance, shade)

    near = house.near
    if house.flank:
        camera.upright(near, back(near, DEPTH), 0.0, top, tone(facade.wall, 0.7 * house.shade))
    middle = (left[0] + right[0]) / 2, (left[1] + right[1]) / 2
    rise, set_back = SLOPES.get(houses.roof, (0.0, 1.0))
    if top - EYE < house.away * rise / set_back:
        # At a corner the ridge stops short, as of a hip roof.
        hip = 0.0 if house.flank else set_back / math.dist(left, right)
        ends = [_between(end, other, hip * (end == near)) for end, other in ((left, right), (right, left))]
        ridge = [(*back(end, set_back), top + rise) for end in ends]
        if house.flank:
            gable = [(*near, top), ridge[near == right], (*back(near, 2 * set_back), top)]
            camera.polygon(gable, tone(facade.wall, 0.7 * house.shade))
        camera.polygon([(*left, top), *ridge, (*right, top)], tone(facade.roofing, house.shade))
    if camera.fine(distance):
        _crown(houses, house, camera, tone)
    camera.wall(facade.levels, left, right, top, house.shade)
    if houses.roof == "gable":
        peak, behind = (*middle, top + 2.3), (*back(middle, DEPTH), top + 2.3)
        if house.flank and distance > 2 * math.dist(left, right):
            camera.polygon([(*near, top), peak, behind, (*back(near, DEPTH), top)], tone(facade.roofing, 0.9))
        camera.polygon([(*left, top), peak, (*right, top)], tone(houses.trim, house.shade))
        camera.polygon(
            [(*_between(left, right, 0.1), top), (*middle, top + 1.85), (*_between(left, right, 0.9), top)],
            tone(facade.wall, house.shade),
        )
    if houses.roof == "pitched":
        eaves = back(left, -0.6), back(right, -0.6)
        under = [(*left, top), (*right, top), (*eaves[1], top), (*eaves[0], top)]
        camera.polygon(under, tone(shaded(facade.roofing, 0.5), house.shade))
        camera.upright(*eaves, top, top + 0.3, tone(facade.roofing, house.shade))
    if not camera.fine(distance):
        return
    if facade.awning:
        out = -houses.awning[1]
        outer, high, low = (back(left, out), back(right, out)), 3.5, 2.75
        camera.polygon(
            [(*left, high), (*right, high), (*outer[1], low), (*outer[0], low)], tone(facade.awning, house.shade)
        )
        camera.upright(*outer, low - 0.3, low, tone(shaded(facade.awning, 0.72), house.shade))
    if facade.blade:
        foot = _between(left, right, 0.3)
        wall, tip = back(foot, -0.2), back(foot, -1.9)
        camera.upright(wall, tip, 3.9, 8.2, tone(facade.blade, 0.9))
        camera.upright(back(foot, -0.5), back(foot, -1.6), 4.3, 7.8, tone(houses.trim, 1.0))


def _crown(houses: Houses, house: House, camera: Camera, tone: Callable[[Colour, float], Colour]) -> None:
    (left, right), (u, v), top = (house.left, house.right), house.inwards, house.facade.height
    if houses.crown == "chimneys":
        spot = _between(left, right, 0.06)
        at = spot[0] + 2.5 * u, spot[1] + 2.5 * v
        camera.box(at, (u, v), (-0.4, 0.4), (-0.9, 0.9), (top, top + 3.4), (shaded(house.facade.wall, 0.8),) * 2)
    elif houses.crown == "tank":
        spot = _between(left, right, 0.65)
        at = spot[0] + 3.0 * u, spot[1] + 3.0 * v
        camera.box(at, (u, v), (-1.1, 1.1), (-1.1, 1.1), (top + 1.2, top + 3.4), (shaded(houses.roofing[0], 1.1),) * 2)
        for leg in (-0.9, 0.9):
            foot = at[0] - v * leg, at[1] + u * leg
            camera.line((*foot, top), (*foot, top + 1.2), 0.15, tone(houses.roofing[0], 0.7))
    elif houses.crown == "dish":
        spot = _between(left, right, 0.75)
        at = spot[0] + 1.5 * u, spot[1] + 1.5 * v
        camera.line((*at, top), (*at, top + 3.2), 0.08, tone((60, 60, 62), 1.0))
        camera.disc((*at, top + 1.6), 0.45, 0.45, tone((205, 205, 200), 1.0))


def _between(start: Spot, end: Spot, share: float) -> Spot:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
