"""Tiny random models of the families that see, each with a processor of its family made here and a chat template with a
part for pictures. Each is saved as a model directory, as its users have it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tests.models import seeing_makers as makers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from shiftgym.messages import user
from shiftgym.models.loading.processor import leave_out_videos, without_videos

SENTENCES = [
    "You are dealt four cards: K, 7, 3 and 2. Make 24 with + - * / and brackets. What do you see in the picture?",
    "Your formula is legal, but its value is 21 and not 24. Try again. user system model assistant",
    '{"cards": ["K", "7", "3", "2"], "number": [10, 7, 3, 2], "formula": "(10 - 7 + 3) * 2"}',
]

TEMPLATE = """{{- 'BOS' }}{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' }}
{%- for part in message['content'] %}
{%- if part['type'] == 'image' %}{{- 'IMAGE' }}{%- else %}{{- part['text'] }}{%- endif %}
{%- endfor %}{{- '<|im_end|>' + '\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""
"""In the style of models that see: what a message holds is a list of parts."""


@dataclass(frozen=True)
class SeeingFamily:
    """What is particular to a family."""

    title: str
    make: Callable[[makers.Text, PreTrainedTokenizerFast], makers.Made]
    shown: str
    """What its templates write for a picture."""
    special: tuple[str, ...]
    """Its special tokens, the one that stands for a part of a picture first."""
    vision: str
    """The name of its vision encoder."""
    projector: str
    """Words in the names of what stands between encoder and decoder, by blanks."""
    named: dict[str, str] = field(default_factory=dict)
    """Special tokens that its processor asks the tokenizer for, by their names there."""
    bos: str = ""
    """What its templates begin with."""
    plain: str = ""
    """Why it takes the plain path; empty if it takes the fast one."""
    chats: bool = True
    """Whether its processor takes a conversation as a template writes it, and adds nothing of its own."""


_QWEN = {
    "shown": "<|vision_start|><|image_pad|><|vision_end|>",
    "special": ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"),
    "vision": "visual",
}
_TILES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4))
_TOWER = {"vision": "vision_tower", "projector": "multi_modal_projector"}
_GEMMA = {"bos": "<bos>", "plain": "tokens of a picture see those behind them"}

SEEING_FAMILIES = {
    "llava": SeeingFamily("LLaVA", makers.make_llava, "<image>\n", ("<image>",), **_TOWER),
    "llava_next": SeeingFamily(
        "LLaVA-NeXT", makers.make_llava_next, "<image>\n", ("<image>",),
        vision="vision_tower", projector="multi_modal_projector image_newline",
    ),
    "idefics3": SeeingFamily(
        "Idefics3", makers.make_idefics3, "<image>",
        ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *_TILES),
        vision="vision_model", projector="connector",
    ),
    "internvl": SeeingFamily(
        "InternVL", makers.make_internvl, "<IMG_CONTEXT>\n", ("<IMG_CONTEXT>", "<img>", "</img>", "<video>"), **_TOWER,
        named={"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
               "video_token": "<video>"},
    ),
    "qwen2_5_vl": SeeingFamily("Qwen2.5-VL", makers.make_qwen2_5_vl, projector="merger", **_QWEN),
    "qwen3_vl": SeeingFamily("Qwen3-VL", makers.make_qwen3_vl, projector="merger deepstack_merger_list", **_QWEN),
    "qwen3_5": SeeingFamily(
        "Qwen3.5", makers.make_qwen3_5, projector="merger", plain="it has linear attention layers", **_QWEN
    ),
    "mllama": SeeingFamily(
        "Llama 3.2 Vision (mllama)", makers.make_mllama, "<|image|>", ("<|image|>", "<|python_tag|>"),
        vision="vision_model", projector="multi_modal_projector", bos="<|begin_of_text|>",
        plain="it reads pictures by cross-attention",
    ),
    "gemma3": SeeingFamily(
        "Gemma 3", makers.make_gemma3, "<start_of_image>",
        ("<image_soft_token>", "<start_of_image>", "<end_of_image>"), **_TOWER, **_GEMMA,
        named={"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"},
    ),
    "gemma4": SeeingFamily(
        "Gemma 4 (the larger ones)", makers.make_gemma4, "<|image|>",
        ("<|image|>", "<|image>", "<image|>", "<|video|>", "<|audio|>", "<|audio>", "<audio|>"), **_GEMMA,
        vision="vision_tower", projector="embed_vision",
        named={"image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>",
               "audio_token": "<|audio|>", "boa_token": "<|audio>", "eoa_token": "<audio|>"},
    ),
    "paligemma": SeeingFamily(
        "PaliGemma", makers.make_paligemma, "<image>", ("<image>",), chats=False, **_TOWER, **_GEMMA
    ),
}  # fmt: skip


def seeing_tokenizer(family: SeeingFamily) -> PreTrainedTokenizerFast:
    """Byte-level pairs, about 350 tokens, the image token last."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    special = ["<|im_start|>", "<|im_end|>", *([family.bos] if family.bos else []), *family.special[1:]]
    trainer = trainers.BpeTrainer(
        vocab_size=350,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(SENTENCES, trainer)
    core.add_special_tokens([family.special[0]])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|im_end|>", bos_token=family.bos or None,
        extra_special_tokens=family.named,
    )  # fmt: skip


def make_seeing(name: str) -> tuple[PreTrainedModel, Any]:
    """A tiny model of a family, of random weights, with its processor."""
    family = SEEING_FAMILIES[name]
    tokenizer = seeing_tokenizer(family)
    text = {**makers.DECODER, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    with without_videos():
        architecture, config, processor = family.make(text, tokenizer)
    leave_out_videos(processor)
    processor.chat_template = TEMPLATE.replace("BOS", family.bos).replace("IMAGE", family.shown.replace("\n", "\\n"))
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        model = architecture(config).eval()
    with torch.no_grad():
        for each, weights in model.named_parameters():
            # New gates are closed and new projections empty in some families, and then no picture would matter.
            if "gate" in each and weights.numel() == 1:
                weights.fill_(1.0)
            elif weights.ndim == 2 and not weights.any():
                torch.nn.init.eye_(weights)
    return model, processor


def save_seeing(name: str, folder: Path) -> Path:
    """Save such a model with its processor."""
    for part in make_seeing(name):
        part.save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class Noise:
    """A picture of coloured noise."""

    seed: int
    width: int = 40
    height: int = 40

    def draw(self) -> Image.Image:
        noise = random.Random(self.seed).randbytes(self.width * self.height * 3)
        return Image.frombytes("RGB", (self.width, self.height), noise)


@dataclass
class Prompt:
    """A decision as a policy sees it."""

    text: str
    shown: tuple[Noise, ...]

    @property
    def prompt(self) -> list[Any]:
        return [user(self.text, *self.shown)]
