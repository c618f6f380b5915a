"""Conversations in tokens, which recipes learn from. torch is not imported here, so that recipes load without it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation to learn from. Only the tokens in `spans` are trained; prompts and feedback are context.

    The lists after `spans` have one number for each answer token, all attempts in order, or are empty.
    """

    ids: list[int]
    """All tokens."""
    spans: list[tuple[int, int]]
    """Start and stop of each attempt's answer, its end token included."""
    weights: list[float] = field(default_factory=list)
    """How much each answer token counts: in a policy gradient its advantage. Empty: 1 for each."""
    logprobs: list[float] = field(default_factory=list)
    """Log-probability of each answer token under the policy that sampled it; empty for an expert's answer."""
    reference: list[float] = field(default_factory=list)
    """The same under the model that the branch started with; the training loop fills it in where it is needed."""
    returns: list[float] = field(default_factory=list)
    """Value target of each attempt (not token); empty without a critic."""

    @property
    def answer_tokens(self) -> int:
        return sum(stop - start for start, stop in self.spans)


Judged = list[list[tuple[Conversation, bool]]]
"""For one problem: for each decision some sampled conversations, and whether each ended with a right answer."""


@dataclass(frozen=True, slots=True)
class ConversationSizes:
    """How long conversations are: numbers of tokens, and of pictures."""

    prompt: int
    """The longest prompt, without pictures."""
    pictures: int
    """Pictures of a prompt."""
    answer: int
    """The longest answer."""
    attempts: int
    """Answers of a conversation."""
    feedback: int
    """A message between two of them."""
