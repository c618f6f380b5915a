"""What a model is, as far as it matters here: how it is read, how large it is, and how its conversations end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils.import_utils import is_flash_attn_2_available, is_flash_attn_3_available

from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.paths import ReadingPath, reading_path
from shiftgym.models.generation.positions import position_limit
from shiftgym.models.lora import ALL_LINEAR, linear_sizes, targeted
from shiftgym.models.parts import parts_of
from shiftgym.models.prefixes import decoder_config

PROBED = (2, 4)
"""Lengths of the conversations by which the cache is measured."""


@dataclass(frozen=True, slots=True)
class Description:
    """Facts about a model that was loaded."""

    family: str
    """The `model_type` of its configuration."""
    architecture: str
    """Its class in transformers."""
    path: ReadingPath
    sees: bool
    """Whether it takes pictures."""
    parameters: dict[str, int]
    """Part of the model -> its parameters, each counted once: `decoder`, and with pictures `vision` and `projector`."""
    trainable: int
    """Parameters that training without LoRA changes; 0 where the weights are quantised."""
    tied: bool
    """Whether the output embeddings are the input embeddings."""
    lora: dict[str, int]
    """The last part of the name of each linear layer that an adapter may stand beside -> parameters that rank 1 takes
    there."""
    weights: dict[str, int]
    """Number format -> bytes of the weights that have it."""
    cache: int
    """Bytes of the cache for one token of one conversation, within the smallest window."""
    state: int
    """Bytes that one conversation takes whatever its length, as in recurrent layers."""
    positions: int
    """Tokens of the longest conversation; `sys.maxsize` where there is no limit."""
    attention: str
    """The attention kernel in use."""
    kernels: list[str]
    """All attention kernels that this model can use on this machine."""
    end: str
    """The token that ends an answer."""
    stops: list[str]
    """Other tokens that stop generation."""
    opening: str
    """The end of a prompt from the tag on that opens thinking; empty where a prompt does not end inside thinking."""

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.parameters.values())


def describe(model: PreTrainedModel, chat_format: ChatFormat) -> Description:
    """The facts about a model that `load_policy` gave."""
    vocabulary = chat_format.tokenizer
    embeddings: Any = model.get_input_embeddings()
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    weights: dict[str, int] = {}
    for weight in model.parameters():
        name = str(weight.dtype).removeprefix("torch.")
        weights[name] = weights.get(name, 0) + weight.nbytes
    cache, state = _cache(model)
    ends = [str(vocabulary.convert_ids_to_tokens(number)) for number in sorted(chat_format.end_ids)]
    end = str(vocabulary.convert_ids_to_tokens(chat_format.end_id))
    return Description(
        family=model.config.model_type,
        architecture=type(model).__name__,
        path=reading_path(model, chat_format),
        sees=chat_format.pictures is not None,
        parameters=_parameters(model),
        trainable=sum(each.numel() for each in model.parameters()) if not getattr(model, "is_quantized", False) else 0,
        tied=head is not None and head.weight is embeddings.weight,
        lora=_lora(model),
        weights=weights,
        cache=cache,
        state=state,
        positions=position_limit(model),
        attention=str(decoder_config(model)._attn_implementation),
        kernels=_kernels(model),
        end=end,
        stops=[token for token in ends if token != end],
        opening=chat_format.opening,
    )


def _parameters(model: PreTrainedModel) -> dict[str, int]:
    """Parameters of each part. The head belongs to the decoder."""
    parts, trunk = parts_of(model), dict(model.base_model.named_parameters())
    found: dict[str, int] = {}
    for name, part in parts.items():
        found[part] = found.get(part, 0) + trunk[name].numel()
    known = {id(weight) for weight in trunk.values()}
    head = sum(weight.numel() for weight in model.parameters() if id(weight) not in known)
    return found | {"decoder": found.get("decoder", 0) + head}


def _lora(model: PreTrainedModel) -> dict[str, int]:
    """What an adapter of rank 1 has in each kind of linear layer."""
    found: dict[str, int] = {}
    for name in targeted(model, ALL_LINEAR):
        kind = name.rpartition(".")[2]
        found[kind] = found.get(kind, 0) + sum(linear_sizes(model.get_submodule(name)))
    return found


@torch.no_grad()
def _cache(model: PreTrainedModel) -> tuple[int, int]:
    """Bytes that a token adds to the cache of a conversation, and bytes that are there from the start. They are
    measured, since families keep different things."""
    sizes = []
    for length in PROBED:
        ids = torch.zeros((1, length), dtype=torch.long, device=model.device)
        kept = [value for name, value in model(input_ids=ids, use_cache=True).items() if name != "logits"]
        sizes.append(sum(each.nbytes for each in _tensors(kept)))
    each = (sizes[1] - sizes[0]) // (PROBED[1] - PROBED[0])
    return each, sizes[0] - each * PROBED[0]


def _tensors(kept: Any) -> Iterator[Tensor]:
    """All tensors in a cache, whatever its make, (...,) each."""
    if isinstance(kept, Tensor):
        yield kept
    elif isinstance(kept, dict):
        for value in kept.values():
            yield from _tensors(value)
    elif isinstance(kept, list | tuple):
        for value in kept:
            yield from _tensors(value)
    elif hasattr(kept, "__dict__"):
        yield from _tensors(vars(kept))


def _kernels(model: PreTrainedModel) -> list[str]:
    """Attention kernels of `Placement` that are there."""
    flash = {"flash_attention_2": is_flash_attn_2_available, "flash_attention_3": is_flash_attn_3_available}
    found = ["eager", *(["sdpa"] if model._supports_sdpa else [])]
    return found + [name for name, there in flash.items() if model._supports_flash_attn and there()]
