"""Rules: which action space is in force. Rules are data: what x may be in turn_direction(x), and what it means.

absolute    the paper's training rule: x is one of eight compass words
relative    the paper's rule shift: x is left, right, slightly left or slightly right
bearing     as absolute, with degrees for words
angle       as relative, with degrees for words
random      drawn for each problem: any of these but relative, which is only used by name
"""

import random
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from shiftgym.errors import ConfigError
from shiftgym.tasks.navigation.directions import COMPASS, RELATIVE, sector, turn_words


@dataclass(frozen=True)
class Space:
    """An action space: forward(), stop() and turn_direction(x)."""

    name: str
    words: tuple[str, ...]
    """What x may be: eight words in the order of `COMPASS`, or four in the order of `RELATIVE`."""
    meaning: str

    @cached_property
    def allowed(self) -> frozenset[str]:
        return frozenset(self.words)

    @cached_property
    def sentence(self) -> str:
        """The rule as one sentence of the prompt. All rules are worded alike, so a shift changes nothing else."""
        return (
            f"Actions are forward(), stop() and turn_direction(x), where x is {self.meaning}: {', '.join(self.words)}."
        )

    def right_words(self, heading: float, following: float) -> tuple[str, ...]:
        """The words that turn from one heading to another: one, or two where geometry does not tell them apart."""
        if len(self.words) == len(COMPASS):
            return (self.words[sector(following)],)
        return tuple([self.words[index] for index in turn_words(heading, following)])


SPACES = {
    space.name: space
    for space in (
        Space("absolute", COMPASS, "the direction to face"),
        Space("relative", RELATIVE, "the way to turn"),
        Space("bearing", ("0", "45", "90", "135", "180", "225", "270", "315"), "the direction to face in degrees"),
        Space("angle", ("-90", "90", "-45", "45"), "the way to turn in degrees"),
    )
}
DRAWN = ("absolute", "bearing", "angle")
"""What `random` draws from: never the paper's shifted rule."""


def known_rule(name: str) -> str:
    """The name again; ConfigError if there is no such rule."""
    if name != "random" and name not in SPACES:
        near = get_close_matches(name, (*SPACES, "random"), n=1, cutoff=0.0)[0]
        raise ConfigError(f"rule: unknown rule {name!r}: did you mean {near!r}?")
    return name


def draw_rule(name: str, stream: random.Random) -> str:
    """The rule of that name, drawn from `stream` where the name stands for a distribution."""
    return stream.choice(DRAWN) if name == "random" else name
