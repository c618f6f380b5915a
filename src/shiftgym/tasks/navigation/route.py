"""A route: instructions in words, and the rail of points at which a decision is wanted."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shiftgym.tasks.navigation.directions import RELATIVE, compass_word, turn_words

Move = Literal["turn", "forward", "stop"]
Wording = Literal["relative", "compass", "both", "landmark"]
WORDINGS: tuple[Wording, ...] = ("relative", "compass", "both", "landmark")
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sight:
    """A landmark as it is seen: its name, and one of `directions.SPATIAL`."""

    name: str
    where: str

    @property
    def text(self) -> str:
        return f"{self.name} is {PHRASES.get(self.where) or f'on your {self.where}'}"


PHRASES = {"front": "in front of you", "behind": "behind you"}
"""Of where something is, but for "on your right" and the like."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One point of a rail, where one decision is wanted."""

    x: float
    y: float
    """Metres east and north."""
    heading: float
    """Degrees, on arrival."""
    expected: Move
    next_heading: float
    """After the right move."""
    intersection: bool
    landmark: Sight | None
    instruction: int
    """Number of the sentence to be followed here, from 1."""
    panorama: str | None = None
    """The street view taken here, in published archives."""


@dataclass(frozen=True, slots=True)
class Route:
    """One problem: a fixed rail from start to destination under a rule."""

    split: str
    index: int
    city: str
    """Name, or path of the file that it was read from."""
    rule: str
    """Name of the action space in force."""
    instructions: tuple[str, ...]
    """Two a leg: how to turn, and how far to go."""
    wordings: tuple[Wording, ...]
    """How the turn of each leg is put in words."""
    stops: tuple[Stop, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """A point on a leg at which one only goes on."""

    at: Point
    heading: float
    crossing: bool = False
    """An intersection that is passed by and reported (the hard mode)."""
    landmark: Sight | None = None
    panorama: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """One leg as it is walked: what a rail is made of."""

    start: Point
    heading: float
    """Of its beginning, degrees."""
    pauses: tuple[Pause, ...]
    arrival: float
    """Heading at its end."""
    wording: Wording
    landmark: Sight | None
    """What is seen at its start, before turning into it."""
    crossing: bool
    """Whether it starts at what is reported as an intersection."""
    panorama: str | None = None


TURNS: Mapping[Wording, tuple[str, ...]] = {
    "relative": ("Turn {way}.", "Take the street {way}."),
    "compass": ("Turn to the {compass}.", "Go {compass} from here."),
    "both": ("Turn {way} to the {compass}.", "Take the street {way}, to the {compass}."),
    "landmark": ("Turn towards {landmark}.", "Take the street of {landmark}."),
}
ONWARDS = ("Go straight on to the {count} intersection", "Walk on until the {count} intersection")
ARRIVALS = ("Go straight on to your destination", "Walk on until your destination")
COUNTS = ("next", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


def assemble(
    stretches: Sequence[Stretch],
    heading: float,
    end: Point,
    goal: Sight,
    stream: random.Random,
    panorama: str | None = None,
) -> tuple[tuple[str, ...], tuple[Stop, ...]]:
    """The instructions and the rail of a way.

    Args:
        stretches: the legs; at least one.
        heading: at the start, before the first turn.
        end: where the destination is, `goal` as it is seen from there, and `panorama` the street view there.
        stream: chooses among equal wordings of a sentence.
    """
    sentences: list[str] = []
    stops: list[Stop] = []
    for number, leg in enumerate(stretches):
        way, seen = RELATIVE[turn_words(heading, leg.heading)[0]], leg.landmark
        name = seen.name if seen else ""
        turn = stream.choice(TURNS[leg.wording])
        sentences.append(turn.format(way=way, compass=compass_word(leg.heading), landmark=name))
        last = number == len(stretches) - 1
        onward = stream.choice(ARRIVALS if last else ONWARDS)
        count = COUNTS[min(sum(pause.crossing for pause in leg.pauses), len(COUNTS) - 1)]
        ahead = goal if last else stretches[number + 1].landmark
        sentences.append(onward.format(count=count) + (f", where {ahead.text}." if ahead else "."))
        stops.append(Stop(*leg.start, heading, "turn", leg.heading, leg.crossing, seen, 2 * number + 1, leg.panorama))
        stops += [
            Stop(*pause.at, pause.heading, "forward", pause.heading, pause.crossing, pause.landmark, 2 * number + 2,
                 pause.panorama)
            for pause in leg.pauses
        ]  # fmt: skip
        heading = leg.arrival
    stops.append(Stop(*end, heading, "stop", heading, False, goal, len(sentences), panorama))
    return tuple(sentences), tuple(stops)
