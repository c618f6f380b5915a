"""Which tags end thinking, which open it, and what is left."""

import time

import pytest

from shiftgym.tasks.thinking import without_thinking

PAIRS = [
    ("<think>", "</think>"),
    ("<THINK>", "</Think>"),
    ("<think >", "</ think >"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reason>", "</reason>"),
    ("<reasoning>", "</reasoning>"),
    ("<analysis>", "</analysis>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<scratch_pad>", "</scratch_pad>"),
    ("<chain_of_thought>", "</chain_of_thought>"),
    ("<seed:think>", "</seed:think>"),
    ("<ling_think>", "</ling_think>"),
    ("<thought_process>", "</thought_process>"),
    ("<reasoning_content>", "</reasoning_content>"),
    ("<inner_monologue>", "</inner_monologue>"),
    ("<rationale>", "</rationale>"),
    ("<antThinking>", "</antThinking>"),
    ("<thinking type=\"deep\" n='1' budget=9>", "</thinking>"),
    ("<|think|>", "<|/think|>"),
    ("<\uff5cthink\uff5c>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|thought_start|>", "<|thought_end|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final"),
    ("<|channel>thought\n", "<channel|>"),
]


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_thinking_is_dropped(opening, closing):
    assert without_thinking(f"{opening} 1 {closing} 2") == " 2"
    assert without_thinking(f" 1 {closing} 2") == " 2", "the prompt opened it"
    assert without_thinking(f"0 {opening} 1") == "0 ", "it never ends"
    assert without_thinking(f"{opening} 1 {closing} 2 {opening} 3 {closing} 4 {opening} 5") == " 4 "
    assert without_thinking(f"{opening}{opening} 1 {closing} 2 {closing} 3") == " 3"


def test_tags_of_one_kind_end_those_of_another():
    assert without_thinking("<think> a <analysis> b </think> c") == " c"
    assert without_thinking("<think> a </analysis> b <reason> c") == " b "


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I think 3 < 5 and 5 > 3",
        "<answer>x</answer>",
        "<thinker>x</thinker>",
        "<b>think</b>",
        "</>",
        "<think",
        "/think>",
        "/no_think",
        "think: x",
        "[Analysis] x",
        "[reasoning] x",
        "[5, 5]",
        "<|im_end|>",
        "<|channel|>commentary",
        "<think/>",
        "<no_think>",
        "<think about x>",
        "<b class=think>",
    ],
)
def test_other_text_stays(text):
    assert without_thinking(text) == text


def test_a_square_bracket_with_a_slash_ends_thinking_whatever_its_name():
    assert without_thinking("[reasoning] x [/reasoning] y") == " y"


@pytest.mark.parametrize(
    "unit",
    ["<", "</", "<think", "</think>", "<think>", "<aaaaaaaaaaaaaaaaaaaa", "[/end of ", "◁", "< ", "<think a=", "<a_"],
)
def test_any_length_takes_linear_time(unit):
    text = (unit * 300_000)[:300_000]
    started = time.thread_time()
    without_thinking(text)
    assert time.thread_time() - started < 0.5
