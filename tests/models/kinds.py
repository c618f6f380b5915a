"""Chat templates in the style of many families, and what each must give."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import GenerationConfig

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation import rows

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
{{- '<|aside>\\n' + m.reasoning_content + '\\n<aside|>' }}{% endif %}
{{- m.content | trim + '<turn|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|turn>assistant\\n' }}
{%- if open is defined %}{{ '<|aside>\\n' }}{% endif %}{% endif %}"""
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
TURN = ["<|turn>", "<turn|>", "<|aside>", "<aside|>"]


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
        THOUGHTS, TURN, "<turn|>", "<|turn>user\nQ<turn|>\n<|turn>assistant\n<|aside>\n", "42<turn|>",
        "\n<|turn>user\nF<turn|>\n<|turn>assistant\n<|aside>\n", closing="\n<aside|>",
        variables={"open": True},
    ),
    "tokens that are known to be of thinking": Kind(
        "{% for m in messages %}<|turn>{{ m.role }}: {{ m.content }}<turn|>{% endfor %}"
        "{% if add_generation_prompt %}<|turn>assistant:{% endif %}",
        ["<|turn>", "<turn|>", "<|channel>", "<channel|>"], "<turn|>", "<|turn>user: Q<turn|><|turn>assistant:",
        " 42<turn|>", "<|turn>user: F<turn|><|turn>assistant:",
    ),
    "thinking in a turn of its own, to which a prompt does not lead": Kind(
        "{% for m in messages %}{% if m.reasoning_content %}<|im_start|>thinking: {{ m.reasoning_content }}<|im_end|>"
        "{% endif %}<|im_start|>{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant: {% endif %}",
        IM, "<|im_end|>", "<|im_start|>user: Q<|im_end|><|im_start|>assistant: ", "42<|im_end|>",
        "<|im_start|>user: F<|im_end|><|im_start|>assistant: ",
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


def say(monkeypatch: pytest.MonkeyPatch, tokens: list[int]) -> None:
    """A model generates these tokens, whatever its logits are; one conversation at a time."""
    script = iter(tokens)

    def draw(logits: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens, log-probabilities and whether they are finite, (rows,) each, for logits (rows, vocabulary)."""
        return torch.full((len(logits),), next(script)), torch.zeros(len(logits)), torch.ones(len(logits)).bool()

    monkeypatch.setattr(rows, "draw", draw)
