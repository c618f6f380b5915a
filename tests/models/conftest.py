"""Tiny random models of three families, each with a tokenizer trained here and a chat template in its style."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.seeing_families import make_seeing
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma2Config,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

SENTENCES = [
    "You are dealt four cards: K, 7, 3 and 2. Make 24 with + - * / and brackets.",
    "Your formula is legal, but its value is 21 and not 24. Try again.",
    "You are a helpful assistant. user system model assistant",
    '{"cards": ["K", "7", "3", "2"], "number": [10, 7, 3, 2], "formula": "(10 - 7 + 3) * 2"}',
]

LLAMA_TEMPLATE = """{{- bos_token }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"""

QWEN_TEMPLATE = """{%- if messages[0]['role'] == 'system' %}
{{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{%- endif %}
{%- for message in messages %}{%- if message['role'] != 'system' %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""

GEMMA_TEMPLATE = """{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{%- endif %}
{%- for message in messages %}
{%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{- '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}"""


@dataclass
class Family:
    config: Callable[..., Any]
    options: dict[str, Any]
    template: str
    special: list[str]
    eos: str
    end: str
    bos: str | None


FAMILIES = {
    "llama": Family(
        LlamaConfig,
        {"num_key_value_heads": 4, "rope_theta": 1e4, "tie_word_embeddings": True},
        LLAMA_TEMPLATE,
        ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        eos="<|end_of_text|>",
        end="<|eot_id|>",
        bos="<|begin_of_text|>",
    ),
    "qwen2": Family(
        Qwen2Config,
        {"num_key_value_heads": 2},
        QWEN_TEMPLATE,
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        eos="<|im_end|>",
        end="<|im_end|>",
        bos=None,
    ),
    "gemma": Family(
        GemmaConfig,
        {"num_key_value_heads": 1, "head_dim": 16},
        GEMMA_TEMPLATE,
        ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"],
        eos="<eos>",
        end="<end_of_turn>",
        bos="<bos>",
    ),
    # Sliding windows shorter than the conversations, in every other layer.
    "gemma2": Family(
        Gemma2Config,
        {"num_key_value_heads": 2, "head_dim": 16, "sliding_window": 8, "attn_implementation": "eager"},
        GEMMA_TEMPLATE,
        ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"],
        eos="<eos>",
        end="<end_of_turn>",
        bos="<bos>",
    ),
}


def tiny_tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """Byte-level pairs, about 350 tokens, in the style of the family."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        special_tokens=family.special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(SENTENCES, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=family.eos, bos_token=family.bos)
    tokenizer.chat_template = family.template
    return tokenizer


@pytest.fixture(scope="session")
def make_reader() -> Callable[..., PreTrainedTokenizerFast]:
    """Makes a tokenizer of single bytes with a chat template. `special` tokens are left out of decoded text, those in
    `added` are not."""

    def make(
        template: Any, special: list[str], eos: str | None = None, added: tuple[str, ...] = ()
    ) -> PreTrainedTokenizerFast:
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        core = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[]))
        core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        core.decoder = decoders.ByteLevel()
        core.add_special_tokens(special)
        core.add_tokens(list(added))
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=eos)
        tokenizer.chat_template = template
        return tokenizer

    return make


def tiny_model(name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A model of random weights, large enough to give sharply different answers to different prompts."""
    family = FAMILIES[name]
    tokenizer = tiny_tokenizer(family)
    config = family.config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=1024,
        initializer_range=0.3,
        **family.options,
        **{f"{kind}_token_id": None for kind in ("pad", "bos")},
        eos_token_id=tokenizer.convert_tokens_to_ids(family.end),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        return AutoModelForCausalLM.from_config(config).eval(), tokenizer


@pytest.fixture(scope="session", params=list(FAMILIES))
def tiny(request: pytest.FixtureRequest) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A tiny model of each family in turn, with its tokenizer."""
    return tiny_model(request.param)


@pytest.fixture(scope="session")
def tiny_llama() -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    return tiny_model("llama")


@pytest.fixture(scope="session")
def make_tiny() -> Callable[[str], tuple[PreTrainedModel, PreTrainedTokenizerFast]]:
    """Makes a new tiny model of a family."""
    return tiny_model


@pytest.fixture
def saved(tiny_llama: Any, tmp_path: Path) -> Path:
    """The directory of a tiny Llama and its tokenizer."""
    for part in tiny_llama:
        part.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="session", params=["llava", "idefics3", "qwen2_5_vl"])
def tiny_seeing(request: pytest.FixtureRequest) -> tuple[PreTrainedModel, Any]:
    """A tiny model of three families that see, with its processor."""
    return make_seeing(request.param)


@pytest.fixture(scope="session")
def tiny_gpt2() -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A model that has learned 100 positions, and crashes beyond them."""
    tokenizer = tiny_tokenizer(FAMILIES["qwen2"])
    ends = {"bos_token_id": None, "eos_token_id": None}
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=100, n_embd=16, n_layer=2, n_head=2, **ends)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        return AutoModelForCausalLM.from_config(config).eval(), tokenizer
