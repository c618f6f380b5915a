"""The attention kernel that a user chose for a model."""

import torch
from transformers import PreTrainedModel

from shiftgym.errors import ConfigError
from shiftgym.models.loading.faults import line
from shiftgym.models.prefixes import decoder_config
from shiftgym.placement import FLASH, SIXTEEN_BITS


def attend_by(model: PreTrainedModel, attention: str) -> None:
    """Let `model` use this attention kernel; `auto` leaves it as it is.

    Raises:
        ConfigError: this model or this machine has no such kernel, or it does not take the model's number format.
    """
    if attention == "auto":
        return
    kind, before = model.config.model_type, decoder_config(model)._attn_implementation
    way_out = "give another kernel, or auto"
    if attention.startswith(FLASH) and model.dtype == torch.float32:
        raise ConfigError(f"attention {attention!r} {SIXTEEN_BITS}, or {way_out}")
    try:
        model.set_attn_implementation(attention)
    except (ImportError, ValueError) as error:
        why = line(error).rstrip(".")
        raise ConfigError(f"attention {attention!r} cannot be used with {kind}: {why}; {way_out}") from error
    if decoder_config(model)._attn_implementation == before != attention:
        raise ConfigError(f"attention {attention!r}: {kind} models have attention of their own; {way_out}")
