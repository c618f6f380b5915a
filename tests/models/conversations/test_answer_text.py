"""The text of an answer, as a policy hands it to a verifier."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.models.kinds import KINDS, say

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.tasks.registry import build_task


@pytest.mark.parametrize(
    ("kind", "generated", "text"),
    [
        ("channels", "<|channel|>final<|message|>{1}", "{1}"),
        ("channels", "{1}", "{1}"),
        ("channels", "<|channel|>analysis<|message|>{0}", "<think>{0}"),
        (
            "channels",
            "<|channel|>analysis<|message|>{0}<|end|><|start|>assistant<|channel|>final<|message|>{1}",
            "<think>{0}</think>{1}",
        ),
        ("a block for the response", "<|START_RESPONSE|>{1}<|END_RESPONSE|>", "{1}"),
        (
            "a block for the response",
            "<|START_THINKING|>{0}<|END_THINKING|><|START_RESPONSE|>{1}",
            "<think>{0}</think>{1}",
        ),
        ("a block for the response behind open thinking", "{0}", "<think>{0}"),
        (
            "a block for the response behind open thinking",
            "{0}<|END_THINKING|><|START_RESPONSE|>{1}<|END_RESPONSE|>",
            "<think>{0}</think>{1}",
        ),
        ("thinking between tokens of no name", "{0}", "<think>{0}"),
        ("thinking between tokens of no name", "{0}\n<aside|>{1}", "<think>{0}</think>{1}"),
        ("a prompt inside thinking, stripped from history", "{0}", "<think>\n{0}"),
        ("a prompt inside thinking, stripped from history", "{0}\n</think>\n\n{1}", "<think>\n{0}\n</think>\n\n{1}"),
        ("tokens that are known to be of thinking", "<|channel>thought\n{0}", "<think>thought\n{0}"),
        (
            "tokens that are known to be of thinking",
            "<|channel>thought\n{0}<channel|>{1}",
            "<think>thought\n{0}</think>{1}",
        ),
        ("thinking that the model opens", "<think>{0}</think>{1}", "<think>{0}</think>{1}"),
    ],
)
def test_the_text_of_an_answer_tells_thinking(
    kind: str, generated: str, text: str, make_reader: Callable[..., Any], tiny_llama: Any, monkeypatch: Any
) -> None:
    chat_format = KINDS[kind].chat_format(make_reader)
    end = KINDS[kind].trained.rpartition("42")[2].removeprefix("<|END_RESPONSE|>")
    script = chat_format.tokenizer(generated + end)["input_ids"]
    said = played(chat_format, script, tiny_llama[0], monkeypatch)
    assert said == (text, len(script), "end")


def played(chat_format: ChatFormat, script: list[int], model: Any, monkeypatch: Any) -> tuple[str, int, str]:
    """The answer of a policy that generates the tokens of `script` and would go on with zeros."""
    say(monkeypatch, [*script, *[0] * 9])
    policy = ModelPolicy(model, chat_format, temperature=0.0, max_new_tokens=len(script) + 9, seed=0)
    decision = build_task("points").start(build_task("points").problem("train", 0))
    chat = policy.start([decision], [["test"]])
    (answer,) = chat.reply([0], [[]])
    (transcript,) = chat.transcripts()
    assert transcript.ids == chat_format.prompt(decision.prompt) + script
    return answer.text, answer.tokens, answer.stop
