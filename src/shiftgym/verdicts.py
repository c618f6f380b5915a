"""What a verifier says of one answer: VER: V^n -> R x V^k (paper, section 3)."""

from dataclasses import dataclass

OUT_OF_ATTEMPTS_REWARD = -1.0
"""Added once, at the end of a decision that ran out of attempts. The limit is part of the problem: it is terminal."""

MAX_FEEDBACK = 200
"""Longest feedback text, in characters."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one answer."""

    outcome: str
    """A member of the task's closed enum of outcomes, such as `wrong_value`."""
    reward: float
    feedback: str
    """What the policy is told before its next attempt; at most `MAX_FEEDBACK` characters, never a solution."""
    correct: bool
    """Whether this answer ends the decision with success."""
