"""What ends an answer, and what stops generation."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.models.kinds import CHANNELS, HARMONY, KINDS

from shiftgym.errors import ConfigError
from shiftgym.messages import user
from shiftgym.models.chat import ChatFormat


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
