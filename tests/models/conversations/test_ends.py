"""What ends an answer, and what stops generation."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.models.kinds import CHANNELS, HARMONY, KINDS, say

from shiftgym.errors import ConfigError
from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.tasks.registry import build_task


@pytest.mark.parametrize(
    ("kind", "last", "following"),
    [
        ("channels", "<|end|>", "<|start|>user<|message|>F<|end|><|start|>assistant"),
        ("channels", "x", "<|end|><|start|>user<|message|>F<|end|><|start|>assistant"),
        ("plain ends", "<|eos|>", "\n<|im_start|>user\nF<|im_end|>\n<|im_start|>assistant\n"),
        ("plain ends", "x", "<|im_end|>\n<|im_start|>user\nF<|im_end|>\n<|im_start|>assistant\n"),
        (
            "a block for the response",
            "<|END_RESPONSE|>",
            "<|done|><|turn|>user<|says|>F<|done|><|turn|>assistant<|says|>",
        ),
        ("an end at the end only", "x", "\nuser: F\nassistant:"),
    ],
)
def test_what_was_ended_is_not_ended_again(
    kind: str, last: str, following: str, make_reader: Callable[..., Any]
) -> None:
    chat_format = KINDS[kind].chat_format(make_reader)
    (token,) = chat_format.tokenizer(last)["input_ids"]
    assert chat_format.tokenizer.decode(chat_format.reply([user("F")], token)) == following


def test_an_end_that_thinking_shares_is_refused(make_reader: Callable[..., Any]) -> None:
    alike = CHANNELS.replace("<|return|>", "<|end|>")
    with pytest.raises(ConfigError, match="ends thinking and an answer with the same token; give a template or"):
        ChatFormat(make_reader(alike, HARMONY, "<|end|>"))


@pytest.mark.parametrize(
    "kind", ["channels", "a prompt inside thinking, stripped from history", "blanks around an answer"]
)
def test_history_keeps_what_was_generated(
    kind: str, make_reader: Callable[..., Any], tiny_llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the template would write an older answer in another way."""
    chat_format = KINDS[kind].chat_format(make_reader)
    thought = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant" if kind == "channels" else "hm</think>"
    said = chat_format.tokenizer(thought + KINDS[kind].trained)["input_ids"]
    say(monkeypatch, [*said, *said])
    decision = build_task("points").start(build_task("points").problem("train", 0))
    policy = ModelPolicy(tiny_llama[0], chat_format, temperature=0.0, max_new_tokens=len(said) + 9, seed=0)
    chat = policy.start([decision], [["test"]])
    chat.reply([0], [[]])
    chat.reply([0], [[user("F")]])
    (transcript,) = chat.transcripts()
    prompt = chat_format.prompt(decision.prompt)
    following = chat_format.tokenizer(KINDS[kind].reply, add_special_tokens=False)["input_ids"]
    assert transcript.ids == [*prompt, *said, *following, *said]
    assert [transcript.ids[start:stop] for start, stop in transcript.spans] == [said, said]
