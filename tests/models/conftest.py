"""Tiny random models of three families, each with a tokenizer trained here and a chat template in its style."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
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


SEEING_TEMPLATE = """{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' }}
{%- for part in message['content'] %}
{%- if part['type'] == 'image' %}{{- 'IMAGE' }}{%- else %}{{- part['text'] }}{%- endif %}
{%- endfor %}{{- '<|im_end|>' + '\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""
"""In the style of models that see: what a message holds is a list of parts."""

EYES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


def _llava(text: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.llava import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", "image_size": 32, "patch_size": 16, **EYES},
        text_config={"model_type": "llama", **text},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )
    eyes = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    strategy = {"patch_size": 16, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return LlavaForConditionalGeneration, config, LlavaProcessor(eyes, tokenizer, **strategy)


def _idefics3(text: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.idefics3 import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    # A picture larger than a tile is cut into several, and the whole is shown too.
    eyes = Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    processor = Idefics3Processor(eyes, tokenizer, image_seq_len=4)
    config = Idefics3Config(
        vision_config={"image_size": 32, "patch_size": 8, **EYES},
        text_config={"model_type": "llama", **text},
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=None,
    )
    return Idefics3ForConditionalGeneration, config, processor


def _qwen2_5_vl(text: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.qwen2_5_vl import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
    )
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    eyes = Qwen2VLImageProcessorPil(patch_size=8, merge_size=2, min_pixels=256, max_pixels=4096)
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}
    token = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("vision_start", "vision_end")}
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "out_hidden_size": 32,
            "patch_size": 8, "spatial_merge_size": 2, "window_size": 32, "fullatt_block_indexes": [1],
        },
        text_config={**text, "rope_parameters": rope},
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        **{f"{name}_token_id": value for name, value in token.items()},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:  # the part for videos needs torchvision, which is not installed
        patch.setattr(Qwen2_5_VLProcessor, "check_argument_for_proper_class", lambda *_: None)
        processor = Qwen2_5_VLProcessor(eyes, tokenizer)
    processor.get_attributes = lambda: ["image_processor", "tokenizer"]
    return Qwen2_5_VLForConditionalGeneration, config, processor


SEEING = {
    "llava": (_llava, "<image>"),
    "idefics3": (_idefics3, "<image>"),
    "qwen2_5_vl": (_qwen2_5_vl, "<|image_pad|>"),
}


def tiny_seeing_model(name: str) -> tuple[PreTrainedModel, Any]:
    """A vision-language model of random weights with its processor."""
    make, placeholder = SEEING[name]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|video_pad|>"]
    shown = ["<image>", "<|image_pad|>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    rows = [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    around = "<|vision_start|>{}<|vision_end|>" if name.startswith("qwen") else "{}"
    template = SEEING_TEMPLATE.replace("IMAGE", around.format(placeholder))
    family = Family(LlamaConfig, {}, template, special + shown + rows, "<|im_end|>", "<|im_end|>", None)
    tokenizer = tiny_tokenizer(family)
    tokenizer.image_token, tokenizer.video_token = placeholder, "<|video_pad|>"
    tokenizer.image_token_id = tokenizer.convert_tokens_to_ids(placeholder)
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024, "pad_token_id": None,
        "eos_token_id": tokenizer.convert_tokens_to_ids("<|im_end|>"), "bos_token_id": None, "initializer_range": 0.3,
    }  # fmt: skip
    architecture, config, processor = make(text, tokenizer)
    processor.chat_template = template
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        return architecture(config).eval(), processor


@pytest.fixture(scope="session", params=list(SEEING))
def tiny_seeing(request: pytest.FixtureRequest) -> tuple[PreTrainedModel, Any]:
    """A tiny model of each family that sees, with its processor."""
    return tiny_seeing_model(request.param)


@pytest.fixture(scope="session")
def tiny_gpt2() -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A model that has learned 100 positions, and crashes beyond them."""
    tokenizer = tiny_tokenizer(FAMILIES["qwen2"])
    ends = {"bos_token_id": None, "eos_token_id": None}
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=100, n_embd=16, n_layer=2, n_head=2, **ends)
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        return AutoModelForCausalLM.from_config(config).eval(), tokenizer
