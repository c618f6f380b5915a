"""Dialogues in plain text, for every policy that has no tokens of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shiftgym.messages import Messages, assistant
from shiftgym.policies.base import Answer
from shiftgym.tasks.base import Decision


@dataclass(slots=True)
class Dialogue:
    """One decision and everything said about it so far."""

    decision: Decision
    messages: Messages
    """Prompt, answers and feedback, in order; ends with a user's message whenever an answer is asked for."""
    new: Messages = field(default_factory=list)
    """The part of `messages` that came since the last answer."""


class TextChat:
    """A batch of dialogues answered by one function, which gets all open dialogues at once."""

    def __init__(self, decisions: Sequence[Decision], answer: Callable[[Sequence[Dialogue]], Sequence[Answer]]) -> None:
        self._dialogues = [Dialogue(decision, [], list(decision.prompt)) for decision in decisions]
        self._answer = answer

    def reply(self, rows: Sequence[int], messages: Sequence[Messages]) -> list[Answer]:
        open_now = [self._dialogues[row] for row in rows]
        for dialogue, added in zip(open_now, messages, strict=True):
            dialogue.new += added
            dialogue.messages += dialogue.new
        answers = list(self._answer(open_now))
        for dialogue, answer in zip(open_now, answers, strict=True):
            dialogue.messages.append(assistant(answer.text))
            dialogue.new = []
        return answers

    def transcripts(self) -> None:
        return None
