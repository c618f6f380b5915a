"""An example conversation in tokens."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.models.kinds import KINDS

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.example import example, tokens
from shiftgym.models.loading.load import load_policy
from shiftgym.tasks.registry import build_task


@pytest.mark.parametrize("kind", ["plain ends", "thinking that the model opens", "channels"])
def test_two_attempts_are_trained_and_the_rest_is_context(kind: str, make_reader: Callable[..., Any]) -> None:
    chat_format = KINDS[kind].chat_format(make_reader)
    _check(chat_format)


def test_closed_thinking_is_context(make_reader: Callable[..., Any]) -> None:
    kind = KINDS["a prompt inside thinking, kept in the last answer"]
    chat_format = kind.chat_format(make_reader)
    shown = _check(chat_format)
    assert sum(kind.closing in context for context in shown) == 2
    assert not any(kind.closing in answer for answer in shown[1::2])


def _check(chat_format: ChatFormat) -> list[str]:
    """The texts of context and answers in turns."""
    task = build_task("points")
    decision = task.start(task.problem("train", 0))
    found = example(chat_format, task)
    shown, before = [""], False
    for token in tokens(chat_format, found):
        if token.trained != before:
            shown.append("")
        shown[-1] += token.text
        before = token.trained
    prompt, wrong, feedback, right = shown
    assert "".join(shown) == chat_format.tokenizer.decode(found.ids)
    assert decision.prompt[0]["content"] in prompt
    assert task.expert(decision) in right and decision.judge(right).correct
    verdict = decision.judge(wrong)
    assert verdict.outcome == "wrong_numbers" and verdict.feedback in feedback
    end = str(chat_format.tokenizer.convert_ids_to_tokens(chat_format.end_id))
    assert wrong.endswith(end) and right.endswith(end)
    return shown


def test_letters_of_several_bytes_are_whole_in_the_end(make_reader: Callable[..., Any]) -> None:
    from shiftgym.models.conversations.conversation import Conversation

    chat_format = KINDS["plain ends"].chat_format(make_reader)
    ids = chat_format.answer("a ÷ b")
    texts = [token.text for token in tokens(chat_format, Conversation(ids, [(0, 3)]))]
    assert len(texts) == len(ids) and "÷" in texts[3]
    assert [token.trained for token in tokens(chat_format, Conversation(ids, [(0, 3)]))][:4] == [True] * 3 + [False]


def test_a_picture_is_one_piece() -> None:
    _, chat_format = load_policy("points-vision-0")
    task = build_task("points", options={"modality": "vision"})
    conversation = example(chat_format, task)
    pieces = [token for token in tokens(chat_format, conversation) if token.text.startswith("<picture")]
    assert [piece.text for piece in pieces] == ["<picture of 16 tokens>"]
    assert not pieces[0].trained
