from typing import Any

import pytest

from shiftgym.errors import ConfigError
from shiftgym.messages import assistant, user
from shiftgym.models.chat import ChatFormat


def rendered(tokenizer: Any, messages: Any, *, generation: bool = True) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_a_conversation_written_piece_by_piece_is_the_template_of_the_whole(tiny: Any) -> None:
    model, tokenizer = tiny
    chat_format = ChatFormat(tokenizer, model.generation_config)
    messages = [user("Make 24."), assistant("(1+2)*8"), user("Try again."), assistant("24"), user("Legal, but not 24.")]
    pieces = [
        chat_format.prompt(messages[:1]),
        chat_format.answer("(1+2)*8"),
        chat_format.reply([messages[2]])[1:],
        chat_format.answer("24"),
        chat_format.reply([messages[4]])[1:],
    ]
    assert [token for piece in pieces for token in piece] == rendered(tokenizer, messages)


def test_the_end_of_an_answer_is_the_templates_own(tiny: Any) -> None:
    model, tokenizer = tiny
    chat_format = ChatFormat(tokenizer, model.generation_config)
    end = tokenizer.convert_ids_to_tokens(chat_format.end_id)
    assert end in ("<|eot_id|>", "<|im_end|>", "<end_of_turn>")
    assert chat_format.end_ids == {chat_format.end_id, tokenizer.eos_token_id}
    assert chat_format.reply([user("Try again.")])[0] == chat_format.end_id == chat_format.answer("24")[-1]
    assert chat_format.text(chat_format.answer('{"formula": "(1 + 2) * 8"}')) == '{"formula": "(1 + 2) * 8"}'


def test_the_prompt_begins_once(tiny: Any) -> None:
    model, tokenizer = tiny
    prompt = ChatFormat(tokenizer, model.generation_config).prompt([user("Make 24.")])
    assert prompt == rendered(tokenizer, [user("Make 24.")])
    assert prompt.count(tokenizer.bos_token_id) == (tokenizer.bos_token_id is not None)


def test_a_system_message_is_rendered_or_refused_in_one_line(tiny: Any) -> None:
    model, tokenizer = tiny
    chat_format = ChatFormat(tokenizer, model.generation_config)
    messages: Any = [{"role": "system", "content": "Be brief."}, user("Make 24.")]
    if "start_of_turn" in tokenizer.chat_template:
        with pytest.raises(ConfigError, match="roles system, user: System role not supported"):
            chat_format.prompt(messages)
    else:
        assert chat_format.prompt(messages) == rendered(tokenizer, messages)


def test_results_are_the_callers_own(tiny_llama: Any) -> None:
    chat_format = ChatFormat(tiny_llama[1])
    chat_format.prompt([user("K")]).append(0)
    chat_format.reply([user("K")]).append(0)
    assert chat_format.prompt([user("K")])[-1] != 0
    assert chat_format.reply([user("K")])[-1] != 0


def test_templates_that_cannot_work_are_config_errors(tiny_llama: Any) -> None:
    tokenizer = tiny_llama[1]
    template = tokenizer.chat_template
    try:
        tokenizer.chat_template = None
        with pytest.raises(ConfigError, match="no chat template"):
            ChatFormat(tokenizer)
        tokenizer.chat_template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
        with pytest.raises(ConfigError, match="no special token"):
            ChatFormat(tokenizer)
    finally:
        tokenizer.chat_template = template
