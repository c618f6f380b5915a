"""The navigation verifier: one outcome an answer, on any text (paper, appendix B.3, without its code's faults).

Outcomes are tested in this order and penalties never add: an action outside the space is `illegal_action`; a wrong
action is `wrong_observation` if the answer also misreports whether there is an intersection, else `wrong_action`; a
right action is right, unless `landmark_reward` asks for the landmark too. How the answer's `observation` is read:
`tasks/navigation/observation.py`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from shiftgym.tasks.answer import read_object
from shiftgym.tasks.navigation.observation import reports_intersection, reports_landmark
from shiftgym.tasks.navigation.route import Move, Sight
from shiftgym.tasks.navigation.rules import SPACES, Space
from shiftgym.verdicts import OUT_OF_ATTEMPTS_REWARD, Verdict

Hint = Literal["none", "outcome", "detail"]

FIELD = "action"
"""The field that makes an object the answer."""

PAPERS_NAMES = {"observation": "current observation", "instruction": "current instruction"}
"""What the paper's prompts call our fields. An answer may use either name; ours counts where it has both."""

MAX_ACTION = 200
"""A longer action is illegal."""


class Outcome(StrEnum):
    """Best first."""

    CORRECT_ACTION = "correct_action"
    WRONG_ACTION = "wrong_action"
    ILLEGAL_ACTION = "illegal_action"
    WRONG_OBSERVATION = "wrong_observation"
    OUT_OF_ATTEMPTS = "out_of_attempts"
    """Only where the attempts are counted outside, as in `shiftgym verify`; episodes end by themselves."""


REWARDS = {
    Outcome.CORRECT_ACTION: 1.0,
    Outcome.WRONG_ACTION: -1.0,
    Outcome.ILLEGAL_ACTION: -1.0,
    Outcome.WRONG_OBSERVATION: -1.5,
    Outcome.OUT_OF_ATTEMPTS: OUT_OF_ATTEMPTS_REWARD,
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What an answer is judged against: where one stands, and what is right there."""

    space: Space
    heading: float
    expected: Move
    next_heading: float
    intersection: bool
    landmark: Sight | None
    landmark_reward: bool = False
    """Whether a right action with a misread landmark is wrong."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action of any space: what is done, and x of turn_direction(x)."""

    move: Move
    word: str = ""


def read(answer: str) -> dict[str, Any]:
    """The fields of the answer in a text, by our names; none if there is none."""
    found = read_object(answer, FIELD) or {}
    return {ours: found[papers] for ours, papers in PAPERS_NAMES.items() if papers in found} | found


def judge(answer: str, situation: Situation, hint: Hint = "outcome") -> Verdict:
    """The verdict on `answer`."""
    outcome, detail = _outcome(read(answer), situation)
    return verdict(outcome, hint, detail)


def verdict(outcome: Outcome, hint: Hint, detail: str) -> Verdict:
    """A verdict with its reward; `detail` is the feedback of the hint `detail`. No feedback holds the word of a turn,
    not even as "not right"."""
    right = outcome is Outcome.CORRECT_ACTION
    said = {"none": "That is wrong.", "outcome": MEANINGS[outcome], "detail": detail}[hint]
    again = "" if outcome is Outcome.OUT_OF_ATTEMPTS else " Try again."
    return Verdict(outcome.value, REWARDS[outcome], "Correct." if right else said + again, right)


MEANINGS = {
    Outcome.CORRECT_ACTION: "",
    Outcome.WRONG_ACTION: "The action is wrong here.",
    Outcome.ILLEGAL_ACTION: "The action is missing or not one of those that there are.",
    Outcome.WRONG_OBSERVATION: "The action is wrong here, and so is your observation.",
    Outcome.OUT_OF_ATTEMPTS: "There are no attempts left.",
}


def _outcome(answer: dict[str, Any], situation: Situation) -> tuple[Outcome, str]:
    """The outcome and, for the `detail` hint, a sentence that says what went wrong."""
    if not _is_typed(answer):
        return Outcome.ILLEGAL_ACTION, "There is no JSON object with an action and an observation, both text."
    action = read_action(answer.get(FIELD))
    if action is None:
        return Outcome.ILLEGAL_ACTION, "The action must be exactly one of those that there are."
    if action.move == "turn" and action.word not in situation.space.allowed:
        return Outcome.ILLEGAL_ACTION, "That is not among the ways to turn that there are."
    observation = answer.get("observation", "")
    if not is_right(action, situation):
        if reports_intersection(observation, situation.landmark) != situation.intersection:
            return Outcome.WRONG_OBSERVATION, "The action is wrong here, and look again whether you are at a crossing."
        if action.move == situation.expected:
            return Outcome.WRONG_ACTION, "A turn is wanted here, but not this one."
        return Outcome.WRONG_ACTION, f"It is wrong to {_VERBS[action.move]} here."
    if situation.landmark_reward and not reports_landmark(observation, situation.landmark):
        return Outcome.WRONG_OBSERVATION, "The action would do, but look again which landmark is where."
    return Outcome.CORRECT_ACTION, ""


_VERBS: dict[Move, str] = {"turn": "turn", "forward": "go on", "stop": "end the walk"}


def _is_typed(answer: dict[str, Any]) -> bool:
    """Whether the fields that are there hold what they should: text, or a number for the instruction."""
    number = answer.get("instruction", 0)
    return (
        all(isinstance(answer.get(key, ""), str) for key in ("observation", "steps"))
        and isinstance(number, int | str)
        and not isinstance(number, bool)
    )


# Actions.

_PARTS = re.compile(r"(forward|stop) ?\( ?\)|turn_direction ?\( ?([a-z0-9-]+(?: [a-z]+)?) ?\)")
_CALLS: dict[str, Move] = {"forward": "forward", "stop": "stop"}
_QUOTES = str.maketrans("\"'`“”‘’", "       ")


def read_action(text: object) -> Action | None:
    """The one action that a text is, in any space, or None. Case, blanks and quotes do not count."""
    if not isinstance(text, str) or len(text) > MAX_ACTION:
        return None
    match = _PARTS.fullmatch(" ".join(text.translate(_QUOTES).lower().split()))
    if match is None:
        return None
    return Action(_CALLS[match[1]]) if match[1] else Action("turn", match[2])


def is_right(action: Action, situation: Situation) -> bool:
    if action.move != situation.expected:
        return False
    return action.move != "turn" or action.word in situation.space.right_words(
        situation.heading, situation.next_heading
    )


# What an answer shows beyond its verdict.


def style(answer: dict[str, Any]) -> str:
    """`worked` if steps stand with the action, `direct` if there are none, `none` without an action."""
    if read_action(answer.get(FIELD)) is None:
        return "none"
    return "worked" if answer.get("steps") else "direct"


def is_valid(answer: dict[str, Any], situation: Situation) -> bool:
    """Whether the answer holds one action of the space in force, right or wrong."""
    action = read_action(answer.get(FIELD))
    return (
        _is_typed(answer) and action is not None and (action.move != "turn" or action.word in situation.space.allowed)
    )


def recognises(answer: dict[str, Any], situation: Situation) -> bool:
    """Whether the answer reports rightly what is seen: the intersection, and the landmark if there is one."""
    observation = answer.get("observation", "")
    return isinstance(observation, str) and (
        reports_intersection(observation, situation.landmark) == situation.intersection
        and reports_landmark(observation, situation.landmark)
    )


def translation(answer: dict[str, Any], situation: Situation, trained: str | None) -> tuple[bool | None, bool | None]:
    """Whether the turn is put rightly in the space in force, and whether the answer perseverates: turns by a word of
    the `trained` space that the space in force does not have. None where no turn is expected or given."""
    action = read_action(answer.get(FIELD))
    translated = action is not None and is_right(action, situation) if situation.expected == "turn" else None
    turned = action is not None and action.move == "turn"
    if trained is None or trained == situation.space.name or not (turned or situation.expected == "turn"):
        return translated, None
    return translated, action is not None and action.word in SPACES[trained].allowed - situation.space.allowed
