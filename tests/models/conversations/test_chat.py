from collections.abc import Callable
from typing import Any

import pytest
from tests.models.kinds import KINDS, SPACED, Kind
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from shiftgym.errors import ConfigError
from shiftgym.messages import assistant, user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.player import Player
from shiftgym.tasks.registry import build_task


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


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def test_the_tokens_of_every_kind(kind: Kind, make_reader: Callable[..., Any]) -> None:
    chat_format = kind.chat_format(make_reader)
    decode, trained = chat_format.tokenizer.decode, chat_format.answer("42")
    assert decode(chat_format.prompt([user("Q")])) == kind.prompt
    assert decode(chat_format.prompt([user("Q")], closed=True)) == kind.prompt + kind.closing
    assert decode(trained) == kind.trained
    assert decode(chat_format.reply([user("F")], trained[-1])) == kind.reply
    stops = set(chat_format.tokenizer.convert_ids_to_tokens(sorted(chat_format.end_ids)))
    assert stops == {decode(trained[-1:])} | kind.ends
    assert chat_format.end_id == trained[-1]


def test_an_expert_is_trained_behind_closed_thinking(
    kind: Kind, make_reader: Callable[..., Any], tiny_llama: Any
) -> None:
    chat_format, task, model = kind.chat_format(make_reader), build_task("points"), tiny_llama[0]
    player = Player(model, chat_format, task, seed=0, ledger=Ledger(ModelShape.of(model)))
    (conversation,) = player.expert("train", 0)
    ((start, stop),) = conversation.spans
    decision = task.start(task.problem("train", 0))
    decode = chat_format.tokenizer.decode
    assert decode(conversation.ids[:start]) == kind.prompt.replace("Q", decision.prompt[0]["content"]) + kind.closing
    assert decode(conversation.ids[start:stop]) == kind.trained.replace("42", task.expert(decision))
    assert stop == len(conversation.ids)


def test_an_answer_in_pieces_is_the_tokens_of_the_whole(kind: Kind, make_reader: Callable[..., Any]) -> None:
    chat_format = kind.chat_format(make_reader)
    whole = chat_format.tokenizer(kind.prompt + kind.closing + kind.trained, add_special_tokens=False)["input_ids"]
    assert chat_format.prompt([user("Q")], closed=True) + chat_format.answer("42") == whole


PIECES = ["[INST] make 24 [/INST] {1 + 2} try again answer make", "answer {1 + 2} again 24"] * 3


@pytest.mark.parametrize("scheme", ["first", "always"])
@pytest.mark.parametrize("answer", ["{1 + 2}", "answer {1}", "24"])
def test_an_answer_has_the_tokens_that_it_has_behind_its_prompt(scheme: str, answer: str) -> None:
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    core.decoder = decoders.Metaspace(prepend_scheme=scheme)
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    core.train_from_iterator(PIECES, trainer)
    reader = PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    reader.chat_template = SPACED.replace(" </s>", "</s>")
    chat_format = ChatFormat(reader)
    prompt = chat_format.prompt([user("make 24")])
    pieces = [prompt, chat_format.answer(answer), chat_format.reply([user("try again")], chat_format.end_id)]
    messages = [user("make 24"), assistant(answer), user("try again")]
    assert [token for piece in pieces for token in piece] == rendered(reader, messages)
    assert chat_format.text(chat_format.answer(answer)).strip() == answer


def test_an_answer_whose_first_token_would_swallow_the_prompt_leaves_it_whole() -> None:
    core = Tokenizer(models.BPE())
    core.decoder = decoders.Fuse()
    trainer = trainers.BpeTrainer(vocab_size=60, special_tokens=["</s>"], show_progress=False)
    core.train_from_iterator(["assistant:{1}", "user:make", "assistant:{2}"] * 5, trainer)
    reader = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")
    reader.chat_template = (
        "{% for m in messages %}{{ m.role }}:{{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    chat_format = ChatFormat(reader)
    prompt, answer = chat_format.prompt([user("make")]), chat_format.answer("{1}")
    assert rendered(reader, [user("make"), assistant("{1}")], generation=False)[: len(prompt)] != prompt
    assert reader.decode(prompt) == "user:make</s>assistant:"
    assert reader.decode(answer) == "{1}</s>"
