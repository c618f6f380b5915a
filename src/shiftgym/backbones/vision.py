"""A picture encoder for a text backbone: a small Idefics3, whose decoder is a shipped text backbone.

A vision transformer reads patches, and what stands together becomes one token of the decoder. It is a standard
transformers architecture with its standard processor.
"""

from dataclasses import dataclass

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.models.idefics3 import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from shiftgym.backbones.tokenizer import SEEING_TEMPLATE
from shiftgym.models.loading.shipped import WEIGHTS

PLACEHOLDER = "<image>"
AROUND = ("<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
"""What this family's processor writes besides."""


@dataclass(frozen=True)
class Encoder:
    """An encoder of pictures in front of a backbone that reads already."""

    reader: str
    """The task whose shipped backbone of the same seed becomes the decoder."""
    size: int = 128
    """Pixels of a picture's side."""
    patch: int = 16
    merged: int = 2
    """So many patches along either side become one token."""
    hidden: int = 128
    layers: int = 2
    heads: int = 4
    feed_forward: int = 320
    reader_rate: float = 0.25
    """Learning rate of the decoder, as a multiple of the encoder's."""

    @property
    def tokens(self) -> int:
        """Tokens of a picture."""
        return (self.size // self.patch // self.merged) ** 2


def processor_of(encoder: Encoder, seed: int) -> Idefics3Processor:
    """The processor: the text backbone's tokenizer with a few more tokens; pictures are not split."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(_reader(encoder, seed))
    tokenizer.add_special_tokens({"additional_special_tokens": [PLACEHOLDER, *AROUND]})
    side = {"longest_edge": encoder.size}
    images = Idefics3ImageProcessorPil(size=side, max_image_size=side, do_image_splitting=False, do_resize=True)
    return Idefics3Processor(images, tokenizer, image_seq_len=encoder.tokens, chat_template=SEEING_TEMPLATE)


def add_encoder(encoder: Encoder, seed: int, processor: Idefics3Processor) -> Idefics3ForConditionalGeneration:
    """The text backbone behind an encoder of random weights."""
    reader = LlamaForCausalLM.from_pretrained(_reader(encoder, seed), dtype=torch.float32)
    text = reader.config.to_dict()
    del text["_name_or_path"]  # where this machine keeps it
    tokenizer = processor.tokenizer
    vocabulary = -(-len(tokenizer) // 8) * 8
    config = Idefics3Config(
        vision_config={
            "image_size": encoder.size,
            "patch_size": encoder.patch,
            "hidden_size": encoder.hidden,
            "num_hidden_layers": encoder.layers,
            "num_attention_heads": encoder.heads,
            "intermediate_size": encoder.feed_forward,
        },
        text_config={**text, "vocab_size": vocabulary},
        scale_factor=encoder.merged,
        image_token_id=tokenizer.convert_tokens_to_ids(PLACEHOLDER),
        tie_word_embeddings=True,
    )
    model = Idefics3ForConditionalGeneration(config)
    reader.resize_token_embeddings(vocabulary)
    model.model.text_model.load_state_dict(reader.model.state_dict())
    return model


def _reader(encoder: Encoder, seed: int) -> str:
    return str(WEIGHTS / f"{encoder.reader}-{seed}")
