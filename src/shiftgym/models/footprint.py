"""How many bytes of memory a model takes at work, from its configuration alone.

The key-value cache is counted as it is allocated. What a pass keeps for its backward pass, and the widest moment of a
pass without one, are estimates for the usual decoder layer; docs/memory.md says how far they may be off.
"""

from dataclasses import dataclass
from typing import Any, Literal

from transformers import PreTrainedConfig, PreTrainedModel

from shiftgym.models.conversations.conversation import ConversationSizes
from shiftgym.models.crossing import crossing_layers
from shiftgym.models.distributions import chunk_tokens
from shiftgym.models.matrices import attending_layers
from shiftgym.models.prefixes import decoder_config

LOGIT_COPIES = 5
"""Copies of the float32 logits of a chunk that are there at the same time in a backward pass."""

FLOAT = 4
"""Bytes of a float32."""

PATCHES = 256
"""Tokens of a picture where the configuration does not say how many."""

Learned = Literal["weights", "adapter", "nothing"]
"""What of a layer is trained: its own weights, an adapter beside them, or nothing in it or before it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The layers of a decoder or of a vision encoder."""

    layers: int
    hidden: int
    query: int
    """Heads times their size."""
    key_value: int
    """Heads of keys times their size."""
    intermediate: int
    """Width of the middle of the MLP, of all experts that a token goes through."""
    gates: int
    """Products of that width that a token's MLP makes before it projects back."""

    def kept(self, width: int, learned: Learned) -> int:
        """Bytes that one token of one layer keeps for the backward pass.

        Args:
            width: bytes of a number in the pass.
        """
        if learned == "nothing":
            return 0
        norms = 2 * self.hidden * (2 * FLOAT + width)
        attention = width * (3 * self.query + 4 * self.key_value)
        middle = width * self.intermediate * (self.gates + 1)
        if learned == "weights":
            return norms + attention + middle + width * (2 * self.hidden + self.query + self.intermediate)
        # An adapter keeps the inputs of linear layers as float32, a copy for each layer, also where they are the same.
        hidden = 2 * self.hidden if width == FLOAT else (3 + self.gates) * self.hidden
        inputs = hidden + self.query + self.intermediate
        return norms + attention + middle + FLOAT * inputs

    def widest(self, width: int) -> int:
        """Bytes of one token in the widest moment of a pass that keeps nothing."""
        return width * ((self.gates + 1) * self.intermediate + 4 * self.hidden)


@dataclass(frozen=True, slots=True)
class ModelMemory:
    """What a model, which may be on the device `meta`, takes beside its weights."""

    decoder: Stack
    encoder: Stack | None
    """That of pictures."""
    patches: int
    """Tokens of a picture in the encoder."""
    picture_tokens: int
    """Tokens that stand for a picture in a conversation."""
    cache: int
    """Bytes of the cache for one token of one conversation."""
    picture_cache: int
    """Bytes of the cache for one picture that is read by cross-attention."""
    vocabulary: int
    width: int
    """Bytes of a weight."""

    @classmethod
    def of(cls, model: PreTrainedModel) -> "ModelMemory":
        config, width = decoder_config(model), model.dtype.itemsize
        crossed = len(crossing_layers(model))
        values = _cached(config)
        patches, picture_tokens = _picture(model.config)
        seen = patches if crossed else 0
        return cls(
            decoder=_stack(config),
            encoder=_stack(model.config.vision_config) if hasattr(model.config, "vision_config") else None,
            patches=patches,
            picture_tokens=1 if crossed else picture_tokens,
            cache=values * attending_layers(model) * width,
            picture_cache=values * crossed * seen * width,
            vocabulary=model.get_output_embeddings().weight.shape[0],  # type: ignore[no-untyped-call]
            width=width,
        )

    def length(self, of: ConversationSizes) -> int:
        """Tokens of a whole conversation."""
        return self._prompt(of) + of.attempts * of.answer + (of.attempts - 1) * of.feedback

    def row(self, of: ConversationSizes) -> int:
        """Bytes of the answers to one decision: cache, prompt and pictures as they are read, and logits."""
        cache = self.cache * self.length(of) + self.picture_cache * of.pictures
        read = self.decoder.widest(self.width) * self._prompt(of)
        if self.encoder is not None:
            seen = self.encoder.widest(self.width) + self.decoder.hidden * self.width
            read += seen * self.patches * of.pictures
        return cache + max(read, 3 * FLOAT * self.vocabulary)

    def training(
        self,
        of: ConversationSizes,
        tokens_per_pass: int,
        *,
        width: int,
        learned: Learned,
        seeing: Learned,
        gradient_checkpointing: bool,
        device: str,
    ) -> tuple[int, int]:
        """Bytes that a training pass takes beside gradients: what its layers keep, and its logits.

        Args:
            tokens_per_pass: its tokens, at least one conversation.
            width: bytes of a number in the pass.
            learned, seeing: what of the decoder and of the vision encoder is trained.
            device: type of the device.
        """
        rows = max(1, tokens_per_pass // self.length(of))
        tokens = rows * self.length(of)

        def kept(stack: Stack, tokens: int, learned: Learned) -> int:
            one = stack.kept(width, learned) * tokens
            if not gradient_checkpointing or not one:
                return one * stack.layers
            return one + stack.layers * stack.hidden * width * tokens

        found = kept(self.decoder, tokens, learned)
        if self.encoder is not None:
            patches = rows * of.pictures * self.patches
            found += max(kept(self.encoder, patches, seeing), self.encoder.widest(width) * patches)
            found += patches * self.decoder.hidden * width
        answers = min(rows * of.attempts * of.answer, chunk_tokens(self.vocabulary, device))
        return found, answers * self.vocabulary * FLOAT * LOGIT_COPIES

    def _prompt(self, of: ConversationSizes) -> int:
        return of.prompt + of.pictures * self.picture_tokens


def _stack(config: PreTrainedConfig) -> Stack:
    """The layers that a configuration describes; families have several names for the same size."""
    hidden = _first(config, "hidden_size", "n_embd", "d_model", "embed_dim")
    heads = _first(config, "num_attention_heads", "n_head", "attention_heads", "num_heads")
    size = _first(config, "head_dim", "attention_head_dim") or hidden // heads
    intermediate = _first(config, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden
    active = _first(config, "num_experts_per_tok", "moe_topk")
    if active:
        expert = _first(config, "moe_intermediate_size") or intermediate
        intermediate = expert * (active + (_first(config, "n_shared_experts") or 0))
    gated = hasattr(config, "num_key_value_heads") or bool(active)
    return Stack(
        layers=(_first(config, "num_hidden_layers", "n_layer", "depth") or 0)
        + (_first(config, "num_global_layers") or 0),
        hidden=hidden,
        query=heads * size,
        key_value=(_first(config, "num_key_value_heads") or heads) * size,
        intermediate=intermediate,
        gates=2 if gated else 1,
    )


def _cached(config: PreTrainedConfig) -> int:
    """Numbers that a layer of attention caches of a token: its keys and its values. Some versions of transformers cache
    less for latent attention."""
    stack = _stack(config)
    if latent := getattr(config, "qk_head_dim", None):
        return int(config.num_attention_heads * (latent + config.v_head_dim))
    return 2 * stack.key_value


def _picture(config: PreTrainedConfig) -> tuple[int, int]:
    """Tokens of a picture in the encoder, and tokens that stand for it in a conversation."""
    vision: Any = getattr(config, "vision_config", None)
    if vision is None:
        return 0, 0
    side, patch = getattr(vision, "image_size", None), getattr(vision, "patch_size", None)
    side, patch = (each[0] if isinstance(each, list | tuple) else each for each in (side, patch))
    patches = (side // patch) ** 2 * (_first(vision, "max_num_tiles") or 1) if side and patch else PATCHES
    merged = (_first(config, "scale_factor") or _first(vision, "spatial_merge_size") or 1) ** 2
    shown = _first(config, "image_seq_length", "image_seq_len", "mm_tokens_per_image") or patches // merged
    return patches, shown


def _first(config: PreTrainedConfig, *names: str) -> int:
    """The first of these settings that the configuration has; 0 if it has none."""
    found = (getattr(config, name, None) for name in names)
    return next((int(value) for value in found if isinstance(value, int | float) and value), 0)
