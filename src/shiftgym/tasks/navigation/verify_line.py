"""Judging one navigation answer from outside (`tasks/verify.py`)."""

import re
from typing import Any, Literal

from pydantic import Field

from shiftgym.tasks.base import VerifyRequest
from shiftgym.tasks.navigation.directions import SPATIAL
from shiftgym.tasks.navigation.route import PHRASES, Move, Sight
from shiftgym.tasks.navigation.rules import SPACES, known_rule
from shiftgym.tasks.navigation.verifier import Outcome, Situation, judge, verdict

LIMIT = 2
"""Attempts that are judged."""


class NavigationRequest(VerifyRequest):
    """One line about a stop of a route."""

    task: Literal["navigation"]
    modality: Literal["text", "vision"] = "text"
    """How the stop was shown; both are judged alike."""
    rule: str
    heading: float = Field(allow_inf_nan=False)
    """Degrees, clockwise from north."""
    expected: Move
    next_heading: float | None = Field(allow_inf_nan=False)
    """After the right move; it may be null where no turn is expected."""
    landmark: str | None = None
    """What is seen, such as "Hotel Aurora is on your right"."""
    at_intersection: bool
    instruction: str = ""
    """The instruction that is followed; it is not judged."""
    attempt: int = Field(1, ge=1)
    landmark_reward: bool = False
    answer: str

    def result(self) -> dict[str, Any]:
        """Outcome, reward and feedback; errors as in `VerifyRequest`."""
        if known_rule(self.rule) == "random":
            raise ValueError("rule: 'random' is drawn for each problem; name the rule that was drawn")
        if self.next_heading is None and self.expected == "turn":
            raise ValueError("next_heading: must be a number where a turn is expected, not null")
        sight = None if self.landmark is None else read_sight(self.landmark)
        if self.attempt > LIMIT:
            return self.judged(verdict(Outcome.OUT_OF_ATTEMPTS, "outcome", ""))
        situation = Situation(
            SPACES[self.rule], self.heading, self.expected,
            self.heading if self.next_heading is None else self.next_heading,
            self.at_intersection, sight, self.landmark_reward,
        )  # fmt: skip
        return self.judged(judge(self.answer, situation))


_IN_WORDS = "|".join(f"(?P<{where}>{phrase})" for where, phrase in PHRASES.items())
_SIGHT = re.compile(
    r"(?:[Tt]he destination )?(?P<name>.+) is "
    rf"(?:on your (?P<side>{'|'.join(SPATIAL)})|{_IN_WORDS}) ?\.?"
)


def read_sight(text: str) -> Sight:
    """A landmark as prompts state it; ValueError if it is stated otherwise."""
    match = _SIGHT.fullmatch(" ".join(text.split()))
    if match is None:
        raise ValueError(f"landmark: {text!r} is not stated as 'NAME is on your WHERE', with {', '.join(SPATIAL)}")
    where = match["side"] or next(where for where in PHRASES if match[where])
    return Sight(match["name"], where)
