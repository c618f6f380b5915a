"""What answers. A policy opens a chat on a batch of decisions; the chat lives as long as their attempts do.

The chat, not the caller, keeps the conversation (and for a model its KV cache), so the loop in `episodes.py`
only ever hands over what is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from shiftgym.messages import Messages
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision

StopReason = Literal["end", "length", "too_long"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One generated answer."""

    text: str
    tokens: int
    """Tokens generated (0 where the policy has none)."""
    stop: StopReason
    """`end`: the policy ended its answer; `length`: it was cut off at the longest answer allowed; `too_long`: the
    conversation does not fit the model, so the text is empty and the decision has ended."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """The tokens of one finished conversation, exactly as the model read and wrote them."""

    ids: list[int]
    """All tokens: prompt, answers, feedback."""
    spans: list[tuple[int, int]]
    """Start and stop in `ids` of each answer, its end token included; the same number twice for an answer that was too
    long to be given."""
    logprobs: list[list[float]]
    """Log-probability of each answer token under the sampling policy, in the order of `spans`."""


class Chat(Protocol):
    """A batch of conversations in flight."""

    def reply(self, rows: Sequence[int], messages: Sequence[Messages]) -> list[Answer]:
        """Append `messages[i]` to conversation `rows[i]` (empty at the first attempt) and answer each of them."""
        ...

    def transcripts(self) -> list[Transcript] | None:
        """The tokens of every conversation, in the order of the decisions; None where the policy has no tokens."""
        ...


class Policy(Protocol):
    """Anything that answers decisions."""

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> Chat:
        """Open a chat.

        Args:
            noise: of each decision, the name of the random stream that its answers are sampled from. It says what is
                answered and never where in a batch, so that no batch size changes an answer.
        """
        ...
