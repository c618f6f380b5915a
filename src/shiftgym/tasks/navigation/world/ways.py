"""Drawing routes from a city, and which routes are for training and which are for testing."""

import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from shiftgym.errors import ConfigError
from shiftgym.tasks.navigation.directions import COMPASS, is_clear, is_clear_turn, sector, spatial_word, turn_angle
from shiftgym.tasks.navigation.route import WORDINGS, Pause, Point, Sight, Stop, Stretch, Wording, assemble
from shiftgym.tasks.navigation.world.streets import Leg, Streets
from shiftgym.tasks.partition import kind_of

Routes = Literal["train", "test", "all"]

TEST_SHARE = 0.3
"""Share of routes that are kept for testing."""
SIGHTED = 0.7
"""Share of turning points with a landmark in sight at which it is named."""
AHEAD = 30.0
"""One can turn towards a landmark if it lies within so many degrees of the new heading."""
MAX_WALKS = 3000
"""Random walks that are tried for one route before the setting is called impossible."""
CLOSE = 8.0
"""Metres that a pause keeps away from an intersection that is passed by."""


@dataclass(frozen=True, slots=True)
class Way:
    """The identity of a route: where it goes, whatever is said about it."""

    legs: tuple[Leg, ...]
    goal: int
    """The landmark, as its index in `City.landmarks`."""
    metres: float
    """Of the last leg, to where one stands abreast of the goal."""


def draw_way(streets: Streets, routes: Routes, legs: tuple[int, int], stream: random.Random) -> Way:
    """A way of `legs` (least, most) legs, never over the same intersection twice.

    Raises:
        ConfigError: no such way was found.
    """
    for _ in range(MAX_WALKS if streets.starting else 0):
        way = _walk(streets, stream.randint(*legs), stream)
        if way is not None and (routes == "all" or kind_of_way(streets.key, way) == routes):
            return way
    raise ConfigError(f"city {streets.city.name}: no route of {legs[0]} to {legs[1]} legs can be found in it")


def _walk(streets: Streets, count: int, stream: random.Random) -> Way | None:
    index = stream.choice(streets.starting)
    legs = [streets.legs[index]]
    been = set(legs[0].nodes)
    while len(legs) < count:
        onward = (streets.following if len(legs) < count - 1 else streets.ending)[index]
        if not onward:
            return None
        index = stream.choice(onward)
        leg = streets.legs[index]
        if not been.isdisjoint(leg.nodes[1:]):
            return None
        been.update(leg.nodes)
        legs.append(leg)
    return Way(tuple(legs), *stream.choice(legs[-1].stops))


def kind_of_way(key: str, way: Way) -> Routes:
    """Whether a way is a `train` or a `test` way, in the city of that `Streets.key`. It is the same in every study."""
    corners = [leg.nodes[0] for leg in way.legs]
    return kind_of(json.dumps([key, *corners, *way.legs[-1].nodes, way.goal]), TEST_SHARE)


def lay_rail(
    streets: Streets,
    way: Way,
    streams: Callable[[str], random.Random],
    *,
    pauses: int,
    passing: bool,
    wordings: Mapping[Wording, float],
) -> tuple[tuple[str, ...], tuple[Wording, ...], tuple[Stop, ...]]:
    """The instructions, their wordings and the rail of a way.

    Args:
        streams: gives the random stream of a name. Each thing has its own, so that a setting changes only its factor.
        pauses: most points on a leg at which one only goes on; each leg has from none to so many.
        passing: whether intersections that are passed by are stops too, and reported.
        wordings: weights of how a turn is put in words. `landmark` is used where one lies in the new direction; where
            none does, another wording is drawn, and if no other has a weight, compass words are used. The landmark
            shown at a turn may follow the wording; all else is the same under any weights.
    """
    stops, sights, passed, words = (streams(name) for name in ("stops", "sights", "passed", "words"))
    before = heading = first_heading(way.legs[0].headings[0], stops)
    stretches = []
    for number, leg in enumerate(way.legs):
        marks = streets.seen[leg.nodes[0]]
        there = leg.headings[0]
        ahead = tuple([(mark, at) for mark, at in marks if lies_ahead(at, heading, there)])
        wording = draw_wording(wordings, bool(ahead), words)
        towards = wording == "landmark"
        sight = _sighted(streets, ahead if towards else marks, heading, sights, always=towards)
        reach = way.metres if number == len(way.legs) - 1 else math.inf
        walked = _pauses(streets, leg, reach, stops.randint(0, pauses), passed if passing else None)
        stretches.append(
            Stretch(streets.points[leg.nodes[0]], there, walked, leg.headings[-1], wording, sight, crossing=True)
        )
        heading = leg.headings[-1]
    goal = streets.city.landmarks[way.goal]
    end, heading = _along(streets, way.legs[-1], way.metres)
    right = (goal.x - end[0]) * math.cos(math.radians(heading)) > (goal.y - end[1]) * math.sin(math.radians(heading))
    sentences, rail = assemble(
        stretches, before, end, Sight(goal.name, "right" if right else "left"), streams("phrases")
    )
    return sentences, tuple([leg.wording for leg in stretches]), rail


def first_heading(following: float, stream: random.Random) -> float:
    """A whole number of degrees from which the first turn is clear; any, if no turn into `following` is."""
    while True:
        heading = float(stream.randrange(360))
        # Two steps to either side of a clear heading there is always one that will do.
        if is_clear_turn(heading, following) or not is_clear(following):
            return heading


def draw_wording(weights: Mapping[Wording, float], landmark: bool, stream: random.Random) -> Wording:
    """How a turn is put in words. As many numbers are drawn from `stream` whatever the weights."""
    known = [weights.get(wording, 0.0) if landmark or wording != "landmark" else 0.0 for wording in WORDINGS]
    (drawn,) = stream.choices(WORDINGS, known if sum(known) else None)
    return drawn if sum(known) else "compass"


def lies_ahead(at: float, heading: float, following: float) -> bool:
    """Whether "towards what is at bearing `at`" says the new heading, in either kind of action space."""
    steps = sector(at - heading), (sector(following) - sector(heading)) % len(COMPASS)
    return steps[0] == steps[1] and abs(turn_angle(at, following)) <= AHEAD


def _sighted(
    streets: Streets, marks: tuple[tuple[int, float], ...], heading: float, stream: random.Random, always: bool = False
) -> Sight | None:
    """One of `marks` as it is seen under `heading`, or none. As many numbers are drawn from `stream` whatever the
    marks."""
    chance, pick = stream.random(), stream.random()
    if not marks or (chance >= SIGHTED and not always):
        return None
    mark, at = marks[int(pick * len(marks))]
    return Sight(streets.city.landmarks[mark].name, spatial_word(heading, at))


def _pauses(streets: Streets, leg: Leg, reach: float, count: int, passed: random.Random | None) -> tuple[Pause, ...]:
    """`count` evenly spaced points of a leg, up to `reach` metres, and the intersections passed by if there is a
    stream for what is seen at them."""
    ends = _distances(streets, leg)
    reach = min(reach, ends[-1])
    found: list[tuple[float, int | None]] = [(reach * (number + 1) / (count + 1), None) for number in range(count)]
    if passed is not None:
        inner = zip(ends[:-1], leg.nodes[1:-1], strict=True)
        met = [(end, node) for end, node in inner if streets.crossing[node] and end < reach - CLOSE]
        found = [pause for pause in found if all(abs(pause[0] - end) >= CLOSE for end, _ in met)]
        found = sorted([*found, *met], key=lambda pause: pause[0])
    result = []
    for metres, node in found:
        at, heading = _along(streets, leg, metres)
        sight = None
        if passed is not None and node is not None:
            sight = _sighted(streets, streets.seen[node], heading, passed)
        result.append(Pause(at, heading, node is not None, sight))
    return tuple(result)


def _distances(streets: Streets, leg: Leg) -> list[float]:
    """Metres from the leg's start to the end of each of its segments."""
    total, ends = 0.0, []
    for u, v in pairwise(leg.nodes):
        total += math.dist(streets.points[u], streets.points[v])
        ends.append(total)
    return ends


def _along(streets: Streets, leg: Leg, metres: float) -> tuple[Point, float]:
    """The point so many metres along a leg, to a tenth of a metre, and the heading there."""
    start = 0.0
    for (u, v), heading, end in zip(pairwise(leg.nodes), leg.headings, _distances(streets, leg), strict=True):
        if metres <= end + 0.5:
            (x, y), (to_x, to_y), share = streets.points[u], streets.points[v], (metres - start) / (end - start)
            return (round(x + (to_x - x) * share, 1) + 0.0, round(y + (to_y - y) * share, 1) + 0.0), heading
        start = end
    raise AssertionError("a point beyond its leg")
