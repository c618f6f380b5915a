"""Tiny random models of the families that see, each with a processor of its family made here and a chat template with a
part for pictures. Each is saved as a model directory, as its users have it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, ProcessorMixin

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

EYES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
DECODER = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "pad_token_id": None, "bos_token_id": None,
    "initializer_range": 0.3,
}  # fmt: skip
Text = dict[str, Any]
"""Settings of the decoder: `DECODER` with the vocabulary and the end of an answer."""


@dataclass(frozen=True)
class SeeingFamily:
    """What is particular to a family."""

    make: Callable[[Text, PreTrainedTokenizerFast], tuple[Any, Any, Any]]
    """The class of its models, their configuration and their processor."""
    shown: str
    """What its templates write for a picture."""
    special: tuple[str, ...]
    """Its special tokens, the one that stands for a part of a picture first."""
    named: dict[str, str]
    """Special tokens that its processor asks the tokenizer for, by their names there."""
    vision: str
    """The name of its vision encoder."""
    projector: str
    """Words in the names of what stands between encoder and decoder, by blanks."""
    bos: str = ""
    """What its templates begin with."""
    plain: str = ""
    """Why it takes the plain path; empty if it takes the fast one."""


def _ids(tokenizer: PreTrainedTokenizerFast, **names: str) -> dict[str, int]:
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()}


def _llava(text: Text, tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.llava import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    config = LlavaConfig(
        vision_config={"model_type": "clip_vision_model", "image_size": 32, "patch_size": 16, **EYES},
        text_config={"model_type": "llama", **text},
        image_seq_length=4,
        vision_feature_layer=-1,
        **_ids(tokenizer, image_token_index="<image>"),
    )
    eyes = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    strategy = {"patch_size": 16, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return LlavaForConditionalGeneration, config, LlavaProcessor(eyes, tokenizer, **strategy)


def _llava_next(text: Text, tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.llava_next import (
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextProcessor,
    )
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

    # A picture is cut into tiles by its shape, and shown whole too.
    grids = [[32, 64], [64, 32], [64, 64]]
    config = LlavaNextConfig(
        vision_config={"model_type": "clip_vision_model", "image_size": 32, "patch_size": 16, **EYES},
        text_config={"model_type": "llama", **text},
        image_grid_pinpoints=grids,
        image_seq_length=4,
        vision_feature_layer=-1,
        **_ids(tokenizer, image_token_index="<image>"),
    )
    eyes = LlavaNextImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_grid_pinpoints=grids
    )
    strategy = {"patch_size": 16, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return LlavaNextForConditionalGeneration, config, LlavaNextProcessor(eyes, tokenizer, **strategy)


def _idefics3(text: Text, tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.idefics3 import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    # A picture larger than a tile is cut into several, and the whole is shown too.
    eyes = Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    config = Idefics3Config(
        vision_config={"image_size": 32, "patch_size": 8, **EYES},
        text_config={"model_type": "llama", **text},
        scale_factor=2,
        pad_token_id=None,
        **_ids(tokenizer, image_token_id="<image>"),
    )
    return Idefics3ForConditionalGeneration, config, Idefics3Processor(eyes, tokenizer, image_seq_len=4)


def _internvl(text: Text, tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
    from transformers.models.internvl import InternVLConfig, InternVLForConditionalGeneration, InternVLProcessor

    # A picture is cut into as many tiles as its shape wants.
    eyes = GotOcr2ImageProcessorPil(size={"height": 32, "width": 32}, crop_to_patches=True, max_patches=3)
    config = InternVLConfig(
        vision_config={"image_size": [32, 32], "patch_size": [8, 8], **EYES},
        text_config={"model_type": "qwen2", **text},
        image_seq_length=4,
        **_ids(tokenizer, image_token_id="<IMG_CONTEXT>"),
    )
    return InternVLForConditionalGeneration, config, blind_to_videos(InternVLProcessor)(eyes, tokenizer, None, 4)


def _qwen2_5_vl(text: Text, tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.qwen2_5_vl import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
    )
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    eyes = Qwen2VLImageProcessorPil(patch_size=8, merge_size=2, min_pixels=256, max_pixels=4096)
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "out_hidden_size": 32,
            "patch_size": 8, "spatial_merge_size": 2, "window_size": 32, "fullatt_block_indexes": [1],
        },
        text_config={
            **text, "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}
        },
        **_qwen_tokens(tokenizer),
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration, config, blind_to_videos(Qwen2_5_VLProcessor)(eyes, tokenizer)


def _qwen3_vl(text: Text, tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.models.qwen3_vl import Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor

    eyes = Qwen2VLImageProcessorPil(patch_size=8, merge_size=2, min_pixels=256, max_pixels=4096)
    config = Qwen3VLConfig(
        # The second layer's states are added to the decoder's first.
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "out_hidden_size": 32,
            "patch_size": 8, "spatial_merge_size": 2, "num_position_embeddings": 64, "deepstack_visual_indexes": [1],
        },
        text_config={
            **text, "head_dim": 8,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 1e4},
        },
        **_qwen_tokens(tokenizer),
    )  # fmt: skip
    return Qwen3VLForConditionalGeneration, config, blind_to_videos(Qwen3VLProcessor)(eyes, tokenizer)


def _mllama(text: Text, tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.mllama import MllamaConfig, MllamaForConditionalGeneration, MllamaProcessor
    from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

    eyes = MllamaImageProcessorPil(size={"height": 32, "width": 32}, max_image_tiles=4)
    # The output layer has no row for the image token, which is the last of the vocabulary.
    config = MllamaConfig(
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "attention_heads": 4,
            "num_global_layers": 1, "intermediate_layers_indices": [0], "vision_output_dim": 64, "image_size": 32,
            "patch_size": 16,
        },
        text_config={
            **text, "vocab_size": len(tokenizer) - 1, "num_hidden_layers": 3, "cross_attention_layers": [1],
            "bos_token_id": tokenizer.bos_token_id,
        },
        **_ids(tokenizer, image_token_index="<|image|>"),
    )  # fmt: skip
    return MllamaForConditionalGeneration, config, MllamaProcessor(eyes, tokenizer)


def _gemma3(text: Text, tokenizer: PreTrainedTokenizerFast) -> tuple[Any, Any, Any]:
    from transformers.models.gemma3 import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    eyes = Gemma3ImageProcessorPil(
        size={"height": 32, "width": 32}, do_pan_and_scan=True, pan_and_scan_min_crop_size=24,
        pan_and_scan_max_num_crops=2, pan_and_scan_min_ratio_to_activate=2.0,
    )  # fmt: skip
    config = Gemma3Config(
        vision_config={"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8, **EYES},
        text_config={
            **text, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 24,
            "layer_types": ["sliding_attention", "full_attention"],
        },
        mm_tokens_per_image=4,
        **_ids(
            tokenizer, image_token_index="<image_soft_token>", boi_token_index="<start_of_image>",
            eoi_token_index="<end_of_image>",
        ),
    )  # fmt: skip
    return Gemma3ForConditionalGeneration, config, Gemma3Processor(eyes, tokenizer, image_seq_length=4)


def _qwen_tokens(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    return _ids(
        tokenizer, image_token_id="<|image_pad|>", video_token_id="<|video_pad|>",
        vision_start_token_id="<|vision_start|>", vision_end_token_id="<|vision_end|>",
    )  # fmt: skip


def blind_to_videos(processor: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """The class without its part for videos, which needs torchvision."""
    parts = [name for name in processor.get_attributes() if name != "video_processor"]
    return type(processor.__name__, (processor,), {"get_attributes": classmethod(lambda _: parts)})


_QWEN = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
_TILES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4))

_TOWER = {"vision": "vision_tower", "projector": "multi_modal_projector"}
_LLAMA, _GEMMA = "<|begin_of_text|>", "<bos>"

SEEING_FAMILIES = {
    "llava": SeeingFamily(_llava, "<image>\n", ("<image>",), {}, **_TOWER),
    "llava_next": SeeingFamily(
        _llava_next, "<image>\n", ("<image>",), {},
        vision="vision_tower", projector="multi_modal_projector image_newline",
    ),
    "idefics3": SeeingFamily(
        _idefics3, "<image>",
        ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *_TILES), {},
        vision="vision_model", projector="connector",
    ),
    "internvl": SeeingFamily(
        _internvl, "<IMG_CONTEXT>\n", ("<IMG_CONTEXT>", "<img>", "</img>", "<video>"),
        {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
         "video_token": "<video>"}, **_TOWER,
    ),
    "qwen2_5_vl": SeeingFamily(
        _qwen2_5_vl, "<|vision_start|><|image_pad|><|vision_end|>", _QWEN, {}, vision="visual", projector="merger"
    ),
    "qwen3_vl": SeeingFamily(
        _qwen3_vl, "<|vision_start|><|image_pad|><|vision_end|>", _QWEN, {},
        vision="visual", projector="merger deepstack_merger_list",
    ),
    "mllama": SeeingFamily(
        _mllama, "<|image|>", ("<|image|>", "<|python_tag|>"), {}, bos=_LLAMA,
        vision="vision_model", projector="multi_modal_projector", plain="it reads pictures by cross-attention",
    ),
    "gemma3": SeeingFamily(
        _gemma3, "<start_of_image>", ("<image_soft_token>", "<start_of_image>", "<end_of_image>"),
        {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"},
        bos=_GEMMA, plain="tokens of a picture see those behind them", **_TOWER,
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


def save_seeing(name: str, folder: Path) -> Path:
    """Save a tiny model of a family, of random weights, with its processor."""
    family = SEEING_FAMILIES[name]
    tokenizer = seeing_tokenizer(family)
    text = {**DECODER, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    architecture, config, processor = family.make(text, tokenizer)
    processor.chat_template = TEMPLATE.replace("BOS", family.bos).replace("IMAGE", family.shown.replace("\n", "\\n"))
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251  weights are initialised from torch's global generator
        model = architecture(config)
    with torch.no_grad():
        for each, weights in model.named_parameters():
            # New gates are closed and new projections empty in some families, and then no picture would matter.
            if "gate" in each and weights.numel() == 1:
                weights.fill_(1.0)
            elif weights.ndim == 2 and not weights.any():
                torch.nn.init.eye_(weights)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
