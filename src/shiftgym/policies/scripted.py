"""Policies without a model: a list of answers, or a function that answers."""

from collections.abc import Callable, Sequence

from shiftgym.messages import Messages
from shiftgym.policies.base import Answer
from shiftgym.policies.text_chat import Dialogue, TextChat
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision


class ScriptedPolicy:
    """Answers by rote: a baseline, and the policy of tests and examples.

    Args:
        answers: the answer to each attempt in order, the last one again and again; or a function of the decision and
            the dialogue so far (which ends with the user's message).
    """

    def __init__(self, answers: Sequence[str] | Callable[[Decision, Messages], str]) -> None:
        self._answers = answers

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> TextChat:
        return TextChat(decisions, lambda open_now: [self._reply(dialogue) for dialogue in open_now])

    def _reply(self, dialogue: Dialogue) -> Answer:
        if callable(self._answers):
            text = self._answers(dialogue.decision, dialogue.messages)
        else:
            attempt = sum(message["role"] == "assistant" for message in dialogue.messages)
            text = self._answers[min(attempt, len(self._answers) - 1)]
        return Answer(text, tokens=0, stop="end")
