"""What a template writes around an answer."""

from collections.abc import Callable
from typing import Any

import pytest

from shiftgym.errors import ConfigError
from shiftgym.models.conversations.template import Template
from shiftgym.models.conversations.turn import (
    ANSWER,
    QUESTION,
    Turn,
    common_beginning,
    common_end,
    read_turn,
    thinking_tag,
)

BASE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<e>{% endfor %}{% if add_generation_prompt %}<assistant>"


def read(make_reader: Callable[..., Any], template: str) -> Turn:
    question, answer = {"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}
    return read_turn(Template(make_reader(template, ["<e>"])), question, answer)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<think>\n", "\n</think>\n\n"),
        ("<think>", "</think>"),
        ("<Thinking>\n", "\n</Thinking>\n\n"),
        ("<thought>", "</thought>"),
        ("<reasoning>\n", "\n</reasoning>\n\n"),
        ("<seed:think>", "</seed:think>"),
        ("<ling_think>", "</ling_think>"),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|begin_of_thought|>\n", "\n<|end_of_thought|>\n\n"),
        ("<|think_start|>", "<|think_end|>"),
        ("<|thinking|>", "<|/thinking|>"),
        ("<think>\nOkay, ", "</think>"),
    ],
)
def test_thinking_that_a_prompt_opens_is_closed_by_its_own_tag(
    make_reader: Callable[..., Any], opening: str, closing: str
) -> None:
    turn = read(make_reader, BASE + opening.replace("\n", "{{ '\\n' }}") + "{% endif %}")
    assert (turn.opening, turn.closing) == (opening, closing)
    assert turn.tail == f"<e><assistant>{opening}"
    closed = read(make_reader, BASE + opening.strip() + closing.strip() + "{% endif %}")
    assert (closed.opening, closed.closing) == ("", "")


def test_tags_in_front_of_the_question_open_nothing(make_reader: Callable[..., Any]) -> None:
    turn = read(make_reader, "Think between <think> and then answer." + BASE + "{% endif %}")
    assert (turn.opening, turn.closing, turn.tail) == ("", "", "<e><assistant>")


def test_the_templates_own_spacing_closes_thinking(make_reader: Callable[..., Any]) -> None:
    spaced = "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and loop.last %}" + (
        "<think>{{ m.reasoning_content }} </think> {% endif %}{{ m.content }}<e>{% endfor %}"
    )
    turn = read(make_reader, spaced + "{% if add_generation_prompt %}<assistant><think>{% endif %}")
    assert turn.thought == ("<think>", " </think> ")
    assert (turn.opening, turn.closing, turn.header) == ("<think>", " </think> ", "")
    unasked = read(make_reader, spaced + "{% if add_generation_prompt %}<assistant>{% endif %}")
    assert (unasked.opening, unasked.closing, unasked.header) == ("", "", "<think> </think> ")


def test_the_beginning_of_an_answer_joins_the_prompt_where_the_template_does_not_write_it(
    make_reader: Callable[..., Any],
) -> None:
    never = read(make_reader, "{% for m in messages %}<{{ m.role }}>: {{ m.content }}<e>{% endfor %}")
    assert (never.lead, never.tail, never.header) == ("<assistant>:", "<e><assistant>:", " ")
    always = read(make_reader, BASE.replace("add_generation_prompt", "true") + "{% endif %}")
    assert (always.lead, always.tail, always.header) == ("", "<e><assistant>", "")
    assert (always.after, always.followed) == ("<e><assistant>", f"<e><user>{QUESTION}<e><assistant>")


def test_a_template_that_refuses_to_end_with_an_answer_is_read_from_history(make_reader: Callable[..., Any]) -> None:
    refuses = "{% if messages[-1].role == 'assistant' %}{{ raise_exception('users last') }}{% endif %}"
    turn = read(make_reader, refuses + BASE + "{% endif %}")
    assert (turn.tail, turn.header, turn.after) == ("<e><assistant>", "", "")


def test_a_template_that_leaves_answers_out_is_refused(make_reader: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="leaves out what the assistant said"):
        read(make_reader, "{% for m in messages %}{{ m.content if m.role == 'user' }}<e>{% endfor %}")


def test_tags_of_thinking_are_told_from_other_tokens() -> None:
    assert [thinking_tag(name) for name in ("<think>", "[THINK]", "<|START_THINKING|>")] == ["<think>"] * 3
    assert [thinking_tag(name) for name in ("</think>", "[/THINK]", "<|END_THINKING|>")] == ["</think>"] * 3
    assert [thinking_tag(name) for name in ("<|end|>", "<|im_start|>", "thinking", "<|channel|>")] == [None] * 4


def test_common_ends() -> None:
    assert common_beginning("abc", "abd") == "ab" == common_beginning("ab", "abc")
    assert common_beginning([1, 2], [2]) == []
    assert common_end("xab", "yab") == "ab" == common_end("ab", "ab")
