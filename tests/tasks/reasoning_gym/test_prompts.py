"""The question as it is, with how to reply."""

import pytest

from shiftgym.tasks.reasoning_gym import prompts, verifier


@pytest.mark.parametrize("form", ["json", "lines"])
@pytest.mark.parametrize("text", ["7", "1 2\n3 4", '{"0": 1}', "a: b", "½ · 'x' \"y\""])
def test_what_is_written_is_read_again(form, text):
    assert verifier.answer_text(verifier.read(prompts.answer(text, form), form), form) == text


@pytest.mark.parametrize("form", ["json", "lines"])
def test_the_prompt_holds_the_question_and_no_answer(form):
    (message,) = prompts.prompt("How many?\n", form)
    assert message["content"].startswith("Reply")
    assert message["content"].endswith("\n\nHow many?")
    assert verifier.read(message["content"], form) == {}, "the template in the prompt is no answer"
