"""The tasks as environments of a GRPOTrainer, for models that call tools: an answer is submitted by a tool call."""

import json
from typing import Any

from shiftgym.episodes import DecisionRecord, revise
from shiftgym.integrations.trl.rewards import asked
from shiftgym.policies.base import Answer


class Submission:
    """One decision after another. Public methods but `reset` and `get_reward` are tools of the model."""

    _record: DecisionRecord

    def reset(self, **row: Any) -> None:
        """Begin the decision that a row of `dataset` names. Its prompt poses it already, so there is nothing to add."""
        decision, self._limit, self._feedback = asked(row)
        self._record, self._ended = DecisionRecord(decision), False

    def submit(self, answer: str) -> str:
        """
        Submit an answer, in the form that was asked for, and learn whether it is right.

        Args:
            answer: The whole answer.

        Returns:
            What is wrong with it, or that it is right.
        """
        if self._ended:
            return "No more answers are taken."
        # A model that was asked for JSON may hand over an object.
        text = answer if isinstance(answer, str) else json.dumps(answer)
        told = revise(self._record, Answer(text, 0, "end"), limit=self._limit, feedback=self._feedback)
        self._ended = not told
        return told[-1]["content"] if told else self._record.attempts[-1].verdict.feedback

    def get_reward(self) -> float:
        """The sum of all rewards. Where the model stopped before its decision had ended, an empty answer is judged as
        its last one, so giving up is never better than a try."""
        if not self._ended:
            self.submit("")
            self._ended = True
        return sum(self._record.rewards)


environment_factory = Submission
"""What `GRPOTrainer` takes under this name."""
