from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast

from shiftgym.errors import ConfigError
from shiftgym.messages import assistant, user
from shiftgym.models import generate
from shiftgym.models.chat import ChatFormat
from shiftgym.models.generate import ModelPolicy
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.load import load_policy
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


CHATML = """{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

STRIPPED = """{% for m in messages %}{% if m.role == 'user' %}<|User|>{{ m.content }}
{%- else %}<|Assistant|>{{ m.content.split('</think>')[-1] }}<|eos|>{% endif %}{% endfor %}
{%- if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}"""
"""Thinking is opened by the prompt and left out of history."""

HYBRID = """{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' and loop.last %}
{{- '<think>\\n' + (m.reasoning_content or '') + '\\n</think>\\n\\n' }}{% endif %}
{{- m.content + '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}
{%- if open_thinking is defined %}{{ '<think>\\n' }}{% endif %}
{%- if enable_thinking is defined and enable_thinking is false %}
{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}"""
"""The last answer always has a block of thinking; the model opens it by itself."""

CHANNELS = """<|start|>system<|message|>{{ strftime_now('%Y-%m-%d') }}<|end|>{% for m in messages %}
{%- if m.role != 'assistant' %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>
{%- elif loop.last and not add_generation_prompt %}
{%- if 'thinking' in m %}<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{% endif -%}
<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|return|>
{%- else %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}
{%- if add_generation_prompt %}<|start|>assistant{% endif %}"""

BLOCKS = """{% for m in messages %}<|turn|>{{ m.role }}<|says|>{% if m.role == 'assistant' %}
{%- if m.reasoning_content %}<|START_THINKING|>{{ m.reasoning_content }}<|END_THINKING|>{% endif -%}
<|START_RESPONSE|>{{ m.content }}<|END_RESPONSE|>{% else %}{{ m.content }}{% endif %}<|done|>{% endfor %}
{%- if add_generation_prompt %}<|turn|>assistant<|says|>
{%- if open is defined %}<|START_THINKING|>{% endif %}{% endif %}"""
"""Special tokens around the response, and another behind every turn."""

THOUGHTS = """{% for m in messages %}{{ '<|turn>' + m.role + '\\n' }}
{%- if m.reasoning_content and loop.last %}
{{- '<|channel>thought\\n' + m.reasoning_content + '\\n<channel|>' }}{% endif %}
{{- m.content | trim + '<turn|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|turn>assistant\\n' }}
{%- if open is defined %}{{ '<|channel>thought\\n' }}{% endif %}{% endif %}"""
"""Thinking between special tokens whose names do not tell."""

SPACED = """<s>{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}
{%- else %}{{ ' ' + m.content + ' </s>' }}{% endif %}{% endfor %}"""

PLAIN = """{% for m in messages %}{{ m.role + ': ' + m.content }}
{%- if loop.last and not add_generation_prompt %}{{ eos_token }}{% else %}{{ '\\n' }}{% endif %}{% endfor %}
{%- if add_generation_prompt %}assistant:{% endif %}"""
"""Only the last answer is ended by a special token."""

IM, HARMONY = (
    ["<|im_start|>", "<|im_end|>", "<|eos|>"],
    ["<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>"],
)
BLOCK = [
    "<|turn|>",
    "<|says|>",
    "<|done|>",
    *(f"<|{at}_{of}|>" for at in ("START", "END") for of in ("THINKING", "RESPONSE")),
]
TURN = ["<|turn>", "<turn|>", "<|channel>", "<channel|>"]


@dataclass
class Kind:
    template: str
    special: list[str]
    eos: str
    prompt: str
    """What the model is asked to go on from, for the question Q."""
    trained: str
    """What is trained for the answer 42."""
    reply: str
    """What follows the trained tokens when F is said next."""
    closing: str = ""
    """What the expert's prompt has behind `prompt`."""
    ends: set[str] = field(default_factory=set)
    """Tokens that stop generation besides the last one that is trained."""
    stops: list[str] = field(default_factory=list)
    """Tokens that the generation config stops at."""
    variables: dict[str, Any] = field(default_factory=dict)

    def chat_format(self, make_reader: Callable[..., Any]) -> ChatFormat:
        reader = make_reader(self.template, self.special, self.eos, added=("<think>", "</think>"))
        stops = GenerationConfig(eos_token_id=[reader.convert_tokens_to_ids(token) for token in self.stops] or None)
        return ChatFormat(reader, stops, template_variables=self.variables)


KINDS = {
    "plain ends": Kind(
        CHATML, IM, "<|eos|>", "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n", "42<|im_end|>",
        "\n<|im_start|>user\nF<|im_end|>\n<|im_start|>assistant\n", ends={"<|eos|>"},
    ),
    "a prompt inside thinking, stripped from history": Kind(
        STRIPPED, ["<|User|>", "<|Assistant|>", "<|eos|>"], "<|eos|>", "<|User|>Q<|Assistant|><think>\n", "42<|eos|>",
        "<|User|>F<|Assistant|><think>\n", closing="\n</think>\n\n",
    ),
    "a prompt inside thinking, kept in the last answer": Kind(
        HYBRID, IM, "<|im_end|>", "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n", "42<|im_end|>",
        "\n<|im_start|>user\nF<|im_end|>\n<|im_start|>assistant\n<think>\n", closing="\n</think>\n\n",
        variables={"open_thinking": True},
    ),
    "thinking that the model opens": Kind(
        HYBRID, IM, "<|im_end|>", "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n",
        "<think>\n\n</think>\n\n42<|im_end|>", "\n<|im_start|>user\nF<|im_end|>\n<|im_start|>assistant\n",
    ),
    "thinking switched off": Kind(
        HYBRID, IM, "<|im_end|>",
        "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", "42<|im_end|>",
        "\n<|im_start|>user\nF<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        variables={"enable_thinking": False},
    ),
    "channels": Kind(
        CHANNELS, HARMONY, "<|return|>",
        "<|start|>system<|message|>2024-07-26<|end|><|start|>user<|message|>Q<|end|><|start|>assistant",
        "<|channel|>final<|message|>42<|return|>", "<|start|>user<|message|>F<|end|><|start|>assistant",
    ),
    "channels whose thinking would stop generation": Kind(
        CHANNELS, [*HARMONY, "<|call|>"], "<|end|>",
        "<|start|>system<|message|>2024-07-26<|end|><|start|>user<|message|>Q<|end|><|start|>assistant",
        "<|channel|>final<|message|>42<|return|>", "<|start|>user<|message|>F<|end|><|start|>assistant",
        stops=["<|return|>", "<|end|>", "<|call|>"], ends={"<|call|>"},
    ),
    "channels that all end alike": Kind(
        CHANNELS.replace("<|return|>", "<|end|>"), HARMONY, "<|return|>",
        "<|start|>system<|message|>2024-07-26<|end|><|start|>user<|message|>Q<|end|><|start|>assistant",
        "<|channel|>final<|message|>42<|return|>", "<|start|>user<|message|>F<|end|><|start|>assistant",
    ),
    "a block for the response": Kind(
        BLOCKS, BLOCK, "<|done|>", "<|turn|>user<|says|>Q<|done|><|turn|>assistant<|says|>",
        "<|START_RESPONSE|>42<|END_RESPONSE|><|done|>", "<|turn|>user<|says|>F<|done|><|turn|>assistant<|says|>",
    ),
    "a block for the response behind open thinking": Kind(
        BLOCKS, BLOCK, "<|done|>", "<|turn|>user<|says|>Q<|done|><|turn|>assistant<|says|><|START_THINKING|>",
        "<|START_RESPONSE|>42<|END_RESPONSE|><|done|>",
        "<|turn|>user<|says|>F<|done|><|turn|>assistant<|says|><|START_THINKING|>", closing="<|END_THINKING|>",
        variables={"open": True},
    ),
    "thinking between tokens of no name": Kind(
        THOUGHTS, TURN, "<turn|>", "<|turn>user\nQ<turn|>\n<|turn>assistant\n<|channel>thought\n", "42<turn|>",
        "\n<|turn>user\nF<turn|>\n<|turn>assistant\n<|channel>thought\n", closing="\n<channel|>",
        variables={"open": True},
    ),
    "no beginning of an answer": Kind(
        CHATML.partition("{%- if")[0], IM, "<|im_end|>", "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n",
        "42<|im_end|>", "\n<|im_start|>user\nF<|im_end|>\n<|im_start|>assistant\n",
    ),
    "blanks around an answer": Kind(
        SPACED, ["<s>", "</s>"], "</s>", "<s>[INST] Q [/INST]", " 42</s>", "[INST] F [/INST]",
    ),
    "an end after the end": Kind(
        CHATML.replace("{% endif %}", "{% else %}<|eos|>{% endif %}").replace("<|im_end|>\\n", "<|im_end|>"), IM,
        "<|eos|>",
        "<|im_start|>user\nQ<|im_end|><|im_start|>assistant\n", "42<|im_end|>",
        "<|im_start|>user\nF<|im_end|><|im_start|>assistant\n", ends={"<|eos|>"},
    ),
    "an end at the end only": Kind(
        PLAIN, ["</s>"], "</s>", "user: Q\nassistant:", " 42</s>", "\nuser: F\nassistant:",
    ),
    "an end that begins the next message": Kind(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ["<|user|>", "<|assistant|>"], "<|user|>", "<|user|>Q<|assistant|>", "42<|user|>", "F<|assistant|>",
    ),
    "a beginning of messages that is no end": Kind(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if loop.last and not add_generation_prompt %}</s>"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ["<|user|>", "<|assistant|>", "</s>"], "</s>", "<|user|>Q<|assistant|>", "42</s>", "<|user|>F<|assistant|>",
    ),
    "a system prompt of its own": Kind(
        "{% if messages[0].role != 'system' %}<|im_start|>system{{ '\\n' }}Help, {{ date_string }}.<|im_end|>"
        "{% endif %}"
        + CHATML, IM, "<|im_end|>",
        "<|im_start|>system\nHelp, 26 Jul 2024.<|im_end|><|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n",
        "42<|im_end|>", "\n<|im_start|>user\nF<|im_end|>\n<|im_start|>assistant\n",
    ),
    "roles that must alternate": Kind(
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('alternate, please') }}{% endif %}{% endfor %}" + CHATML, IM, "<|im_end|>",
        "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n", "42<|im_end|>",
        "\n<|im_start|>user\nF<|im_end|>\n<|im_start|>assistant\n",
    ),
}  # fmt: skip


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


def test_an_expert_is_trained_behind_closed_thinking(kind: Kind, make_reader: Callable[..., Any]) -> None:
    chat_format, task = kind.chat_format(make_reader), build_task("points")
    model, _ = load_policy("points-0")
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
        ("thinking between tokens of no name", "{0}\n<channel|>{1}", "<think>{0}</think>{1}"),
        ("a prompt inside thinking, stripped from history", "{0}", "<think>\n{0}"),
        ("a prompt inside thinking, stripped from history", "{0}\n</think>\n\n{1}", "<think>\n{0}\n</think>\n\n{1}"),
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
    rest = iter([*script, *[0] * 9])
    monkeypatch.setattr(generate, "_sample", lambda scores, *_: (scores.argmax(-1).fill_(next(rest)), scores.amax(-1)))
    model.resize_token_embeddings(max(len(chat_format.tokenizer), model.config.vocab_size))
    policy = ModelPolicy(model, chat_format, temperature=0.0, max_new_tokens=len(script) + 9, seed=0)
    decision = build_task("points").start(build_task("points").problem("train", 0))
    chat = policy.start([decision], [["test"]])
    (answer,) = chat.reply([0], [[]])
    (transcript,) = chat.transcripts()
    assert transcript.ids == chat_format.prompt(decision.prompt) + script
    return answer.text, answer.tokens, answer.stop


def test_an_end_that_thinking_shares_is_refused(make_reader: Callable[..., Any]) -> None:
    alike = CHANNELS.replace("<|return|>", "<|end|>")
    with pytest.raises(ConfigError, match="ends thinking and an answer with the same token; give a template or"):
        ChatFormat(make_reader(alike, HARMONY, "<|end|>"))


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
