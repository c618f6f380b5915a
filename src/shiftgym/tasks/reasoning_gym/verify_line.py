"""Judging one answer to a question of reasoning-gym from outside (`tasks/verify.py`)."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shiftgym.tasks.answer import Form
from shiftgym.tasks.base import VerifyRequest
from shiftgym.tasks.reasoning_gym.generators import PROVED
from shiftgym.tasks.reasoning_gym.verifier import Question, judge


class QuestionRecord(BaseModel):
    """The record of a problem, as `shiftgym data problems` and episodes hold it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    split: str = ""
    index: int = 0
    generator: str
    question: str
    answer: str
    """An answer that is right."""
    metadata: str = "{}"
    """What the judge reads besides, as JSON."""


class ReasoningGymRequest(VerifyRequest):
    """One line about a question."""

    task: Literal["reasoning_gym"]
    problem: QuestionRecord
    form: Form = "json"
    answer: str
    """What the policy wrote."""

    def result(self) -> dict[str, Any]:
        """Outcome, reward and feedback; errors as in `VerifyRequest`, and ConfigError without the package."""
        problem = self.problem
        if problem.generator not in PROVED:
            raise ValueError(f"problem.generator: {problem.generator!r} is none of {', '.join(PROVED)}")
        try:
            metadata = json.loads(problem.metadata)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"problem.metadata: not a JSON object: {error}") from None
        if not isinstance(metadata, dict):
            raise ValueError(f"problem.metadata: not a JSON object but {type(metadata).__name__}")
        if missing := PROVED[problem.generator].reads - metadata.keys():
            raise ValueError(f"problem.metadata: lacks {', '.join(sorted(missing))}")
        try:
            return self.judged(judge(self.answer, Question(**problem.model_dump()), self.form, "outcome"))
        except (TypeError, AttributeError, LookupError):
            raise ValueError(f"problem.metadata: not what {problem.generator} is judged by") from None
