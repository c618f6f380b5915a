"""The tasks as environments of a GRPOTrainer, for models that call tools: an answer is submitted by a tool call."""

import json
from typing import Any

from shiftgym.integrations.problems import opened
from shiftgym.integrations.session import Session


class Submission:
    """One episode after another. Public methods but `reset` and `get_reward` are tools of the model."""

    _session: Session

    def reset(self, **row: Any) -> None:
        """Begin the episode that a row of `dataset` names; its prompt poses it, so there is nothing to add."""
        self._session, self._given_up = opened(row, pictures="none"), False

    def submit(self, answer: str) -> str:
        """
        Submit an answer, in the form that was asked for, and learn whether it is right.

        Args:
            answer: The whole answer.

        Returns:
            What is wrong with it, or that it is right.
        """
        session = self._session
        if session.done:
            return "The episode has ended."
        # A model that was asked for JSON may hand over an object.
        session.step(answer if isinstance(answer, str) else json.dumps(answer))
        if session.done:
            assert session.verdict is not None
            return session.verdict.feedback
        return str(session.told[-1]["content"])

    def get_reward(self) -> float:
        """The sum of all rewards. A model that stopped before the episode had ended is judged as if it had submitted an
        empty answer, so that giving up is never better than a try."""
        if not self._session.done and not self._given_up:
            self._session.step("")
            self._given_up = True
        return self._session.reward


environment_factory = Submission
"""What `GRPOTrainer` takes under this name."""
