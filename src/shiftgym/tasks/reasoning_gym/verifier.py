"""The verifier: an answer is correct if the generator's own scorer gives it 1, or our exact rule where that scorer may
not be used. Anything else is wrong, whatever share of 1 it is given.

Reading an answer, its length, and what a scorer raises are dealt with here, so that judging never raises and takes
bounded time on any text. Which scorers are used, and why not the others, stands in `generators.py`.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from shiftgym.tasks.answer import Form, read_fields
from shiftgym.tasks.reasoning_gym.generators import PROVED
from shiftgym.tasks.reasoning_gym.library import data_set
from shiftgym.tasks.reasoning_gym.rules import RULES
from shiftgym.verdicts import Verdict

Hint = Literal["none", "outcome"]

FIELD = "answer"
"""The field that makes an object or a block of lines the answer."""

SPARE = 1000
"""How many characters longer than four times the known answer another may be. A longer one is wrong unread."""


class Outcome(StrEnum):
    """Best first."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"


REWARDS = {Outcome.CORRECT: 5.0, Outcome.WRONG: -1.0, Outcome.NO_ANSWER: -3.0}

FEEDBACK = {
    Outcome.CORRECT: "Correct.",
    Outcome.WRONG: "The answer is not right. Try again.",
    Outcome.NO_ANSWER: "There is no answer in the form that was asked for. Try again.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One problem: everything that judging an answer takes."""

    split: str
    index: int
    generator: str
    question: str
    answer: str
    """An answer that is right; there may be others."""
    metadata: str = "{}"
    """What the judge reads besides, as JSON."""


def read(text: str, form: Form) -> dict[str, Any]:
    """The fields of the answer in a text; none if there is none in that form."""
    return read_fields(text, FIELD, form) or {}


def answer_text(fields: dict[str, Any], form: Form) -> str:
    """The answer without the blanks around it; empty if there is none. A value that is no text stands for its JSON."""
    value = fields.get(FIELD)
    if value is None:
        return ""
    if not isinstance(value, str):
        return _as_json(value)
    return (value.replace(r"\n", "\n") if form == "lines" else value).strip()


def judge(text: str, problem: Question, form: Form, hint: Hint) -> Verdict:
    """The verdict on what a policy wrote."""
    answer = answer_text(read(text, form), form)
    outcome = Outcome.NO_ANSWER if not answer else Outcome.CORRECT if is_right(answer, problem) else Outcome.WRONG
    told = "That is not right. Try again." if hint == "none" and outcome is not Outcome.CORRECT else FEEDBACK[outcome]
    return Verdict(outcome.value, REWARDS[outcome], told, outcome is Outcome.CORRECT)


def is_right(answer: str, problem: Question) -> bool:
    """Whether an answer is given a full score.

    Raises:
        ConfigError: it is for a scorer of the package to say, which is not installed.
    """
    if len(answer) > 4 * len(problem.answer) + SPARE:
        return False
    metadata = json.loads(problem.metadata)
    if (rule := RULES.get(problem.generator)) is not None:
        return rule(answer, metadata)
    entry = {"question": problem.question, "answer": problem.answer, "metadata": metadata}
    scorer = data_set(problem.generator, {})
    try:
        score = scorer.score_answer(answer, entry)
    except Exception:  # noqa: BLE001
        # Scorers raise on answers of a form that they do not expect.
        return False
    # Neither close to 1, nor above it, which one scorer gives an answer with something behind it.
    return bool(score == 1)


def recorded(metadata: dict[str, Any], generator: str) -> str:
    """The part of an item's metadata that its judge reads, as JSON."""
    return json.dumps({key: metadata[key] for key in sorted(PROVED[generator].reads)})


def _as_json(value: Any) -> str:
    """A value as JSON; empty where it has more levels than Python can write, which is about a thousand."""
    try:
        return json.dumps(value)
    except RecursionError:
        return ""
