"""How a tiny model of each family that sees is made: its class, its configuration and its processor."""

from typing import Any

from transformers import PreTrainedTokenizerFast

EYES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
DECODER = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "pad_token_id": None, "bos_token_id": None,
    "initializer_range": 0.3,
}  # fmt: skip
Text = dict[str, Any]
"""Settings of the decoder: `DECODER` with the vocabulary and the end of an answer."""

Made = tuple[Any, Any, Any]
"""The class of a model, its configuration and its processor."""


def _ids(tokenizer: PreTrainedTokenizerFast, **names: str) -> dict[str, int]:
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()}


def make_llava(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
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


def make_llava_next(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
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


def make_idefics3(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
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


def make_internvl(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
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
    return InternVLForConditionalGeneration, config, InternVLProcessor(eyes, tokenizer, None, 4)


def make_qwen2_5_vl(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
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
    return Qwen2_5_VLForConditionalGeneration, config, Qwen2_5_VLProcessor(eyes, tokenizer)


def make_qwen3_vl(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
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
    return Qwen3VLForConditionalGeneration, config, Qwen3VLProcessor(eyes, tokenizer)


def make_mllama(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
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


def make_gemma3(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
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


def make_gemma4(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
    from transformers.models.gemma4 import (
        Gemma4AudioFeatureExtractor,
        Gemma4Config,
        Gemma4ForConditionalGeneration,
        Gemma4Processor,
    )
    from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

    eyes = Gemma4ImageProcessorPil(patch_size=4, max_soft_tokens=70, pooling_kernel_size=3)
    config = Gemma4Config(
        vision_config={
            **EYES, "num_key_value_heads": 4, "head_dim": 8, "patch_size": 4, "pooling_kernel_size": 3,
            "position_embedding_size": 640, "initializer_range": 0.3,
        },
        text_config={
            **text, "head_dim": 8, "global_head_dim": 8, "sliding_window": 24, "vocab_size_per_layer_input": 16,
            "layer_types": ["sliding_attention", "full_attention"], "hidden_size_per_layer_input": 0,
            "use_bidirectional_attention": "vision", "pad_token_id": 0,
        },
        audio_config=None,
        **_ids(
            tokenizer, image_token_id="<|image|>", boi_token_id="<|image>", eoi_token_id="<image|>",
            video_token_id="<|video|>", audio_token_id="<|audio|>",
        ),
    )  # fmt: skip
    processor = Gemma4Processor(Gemma4AudioFeatureExtractor(), eyes, tokenizer, None)
    return Gemma4ForConditionalGeneration, config, processor


def make_paligemma(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
    from transformers.models.paligemma import (
        PaliGemmaConfig,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
    )
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    eyes = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    eyes.image_seq_length = 4
    processor = PaliGemmaProcessor(eyes, tokenizer)
    config = PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 16, **EYES},
        text_config={"model_type": "gemma", **text, "vocab_size": len(tokenizer), "head_dim": 8},
        projection_dim=32,
        **_ids(tokenizer, image_token_index="<image>"),
    )
    return PaliGemmaForConditionalGeneration, config, processor


def make_qwen3_5(text: Text, tokenizer: PreTrainedTokenizerFast) -> Made:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.models.qwen3_5 import Qwen3_5Config, Qwen3_5ForConditionalGeneration
    from transformers.models.qwen3_vl import Qwen3VLProcessor

    eyes = Qwen2VLImageProcessorPil(patch_size=8, merge_size=2, min_pixels=256, max_pixels=4096)
    config = Qwen3_5Config(
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4, "out_hidden_size": 32,
            "patch_size": 8, "spatial_merge_size": 2, "num_position_embeddings": 64,
        },
        text_config={
            **text, "head_dim": 16, "layer_types": ["linear_attention", "full_attention"],
            "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "rope_parameters": {
                "rope_type": "default", "mrope_section": [2, 1, 1], "rope_theta": 1e4, "partial_rotary_factor": 0.5,
            },
        },
        **_qwen_tokens(tokenizer),
    )  # fmt: skip
    return Qwen3_5ForConditionalGeneration, config, Qwen3VLProcessor(eyes, tokenizer)


def _qwen_tokens(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    return _ids(
        tokenizer, image_token_id="<|image_pad|>", video_token_id="<|video_pad|>",
        vision_start_token_id="<|vision_start|>", vision_end_token_id="<|vision_end|>",
    )  # fmt: skip
