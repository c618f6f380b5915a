"""Dialogues in plain text."""

from dataclasses import dataclass

from shiftgym.messages import user
from shiftgym.policies.base import Answer
from shiftgym.policies.text_chat import TextChat


@dataclass
class Question:
    text: str

    @property
    def prompt(self):
        return [user(self.text)]


def test_each_dialogue_is_prompt_answers_and_feedback_and_what_is_new_of_it():
    asked = []

    def answer(dialogues):
        asked.append([([m["content"] for m in each.messages], [m["content"] for m in each.new]) for each in dialogues])
        return [Answer(f"answer to {each.decision.text}", tokens=0, stop="end") for each in dialogues]

    chat = TextChat([Question("a"), Question("b")], answer)
    assert [each.text for each in chat.reply([0, 1], [[], []])] == ["answer to a", "answer to b"]
    chat.reply([1], [[user("no")]])
    assert asked == [
        [(["a"], ["a"]), (["b"], ["b"])],
        [(["b", "answer to b", "no"], ["no"])],
    ]
    assert chat.transcripts() is None
