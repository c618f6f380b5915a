"""The backbone's tokenizer."""

import pytest

from shiftgym.tasks.points.prompts import prompt
from shiftgym.tasks.points.rules import Rule


def test_values_symbols_and_operators_are_single_tokens(tokenizer):
    for text in [*map(str, range(120)), *"AJQK+-*/()"]:
        assert len(tokenizer(text, add_special_tokens=False).input_ids) == 1, text


def test_a_prompt_costs_few_tokens(tokenizer):
    messages = prompt(("K", "3", "8", "8"), Rule(11, 12, 13), 24)
    assert len(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)) < 35


@pytest.mark.parametrize("text", ["Ünï 文 173 J", "", "{'cards': ['10']}\n\t<b>", "J counts as 11"])
def test_any_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
