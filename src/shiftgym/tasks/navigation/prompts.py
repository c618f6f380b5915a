"""What the policy is told, in our own words, and what an expert answers.

In text, the prompt of a decision begins with the whole prompt of the decision before it: first what is constant, then
what was seen and done so far, and last the present observation. In pictures only the last line differs: what was seen
before is told in words, as in the paper.
"""

import json

from shiftgym.tasks.navigation.directions import RELATIVE, compass_word, turn_words
from shiftgym.tasks.navigation.route import Route, Stop
from shiftgym.tasks.navigation.rules import SPACES, Space


def opening(route: Route, *, shown: bool) -> str:
    """Everything up to the first observation; the rule is one sentence of it.

    Args:
        shown: whether a picture shows what is seen.
    """
    numbered = "".join(f"{number}. {text}\n" for number, text in enumerate(route.instructions, 1))
    return (
        f"Walk through a city by the instructions below.\n{SPACES[route.rule].sentence}\n"
        "Reply with a JSON object that holds your observation, the number of the instruction you follow, your steps if "
        'you like, and one action: {"observation": "...", "instruction": 1, "steps": "...", "action": "..."}\n'
        f"{VIEWS if shown else ''}{numbered}"
    )


VIEWS = "The picture has four views: front and right above, back and left below.\n"


def pictured(stop: Stop) -> str:
    """The same line where a picture shows the rest of what is seen."""
    return f"Seen: Facing {compass_word(stop.heading)}, and what is in the picture.\n"


def observation(stop: Stop) -> str:
    """What is seen at a stop, as one line."""
    crossing = "Intersection." if stop.intersection else "No intersection."
    seen = f"{stop.landmark.text}." if stop.landmark else "No landmark."
    return f"Seen: Facing {compass_word(stop.heading)}. {crossing} {seen}\n"


def done(stop: Stop, space: Space) -> str:
    """The right action at a stop, as one line of what was done."""
    return f"Done: {right_action(stop, space)}\n"


def right_action(stop: Stop, space: Space) -> str:
    """The right action; of two that are equally right, the first."""
    if stop.expected == "turn":
        return f"turn_direction({space.right_words(stop.heading, stop.next_heading)[0]})"
    return f"{stop.expected}()"


def answer(stop: Stop, space: Space, steps: bool) -> str:
    """The answer object of an expert."""
    seen = "intersection" if stop.intersection else "no intersection"
    if stop.landmark:
        seen = f"{seen}, {stop.landmark.name} {stop.landmark.where}"
    return json.dumps(
        {
            "observation": seen,
            "instruction": stop.instruction,
            **({"steps": worked_steps(stop)} if steps else {}),
            "action": right_action(stop, space),
        }
    )


def worked_steps(stop: Stop) -> str:
    """How the action comes about. Of a turn: heading, heading wanted, and the way between: `east north left`."""
    if stop.expected == "turn":
        way = RELATIVE[turn_words(stop.heading, stop.next_heading)[0]]
        return f"{compass_word(stop.heading)} {compass_word(stop.next_heading)} {way}"
    return "on the way" if stop.expected == "forward" else "arrived"
