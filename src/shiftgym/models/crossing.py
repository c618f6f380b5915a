"""Layers of cross-attention, in which tokens attend to the states of pictures: what they cost where a picture is shown.

Where none is, these layers are left out, so they are not among the matrices that every token goes through
(`models/matrices.py`). Keys and values are made once a picture and counted with its encoder (`pictures.py`).
"""

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from shiftgym.models.prefixes import decoder_config


def crossing_layers(model: PreTrainedModel) -> list[nn.Module]:
    """The layers of the decoder whose tokens attend to pictures and to nothing else."""
    numbers = getattr(decoder_config(model), "cross_attention_layers", None) or ()
    return [model.get_decoder().layers[number] for number in numbers]  # type: ignore[no-untyped-call]


def crossed(model: PreTrainedModel, *, pictures: int, rows: int, tokens: int, backward: bool = False) -> int:
    """FLOPs of these layers for `rows` x `tokens` tokens that attend to the pictures of their row.

    Args:
        pictures: how many all rows show together.
        backward: of a backward pass and not of a forward one.
    """
    layers = crossing_layers(model)
    if not layers or not pictures:
        return 0
    config, vision = decoder_config(model), model.config.vision_config
    states = vision.max_num_tiles * ((vision.image_size // vision.patch_size) ** 2 + 1)
    attention: int = 4 * len(layers) * config.hidden_size * states * tokens * pictures
    matrices = [module for layer in layers for module in _of_tokens(layer)]
    if not backward:
        return 2 * sum(module.weight.numel() for module in matrices) * rows * tokens + attention
    # The gradient of a layer's input, and that of its weight where it is trained.
    weights = sum(module.weight.numel() * (1 + module.weight.requires_grad) for module in matrices)
    return 2 * weights * rows * tokens + 2 * attention


def _of_tokens(layer: Any) -> list[nn.Linear]:
    """The linear layers of a layer that tokens go through: all but those of keys and values."""
    of_pictures = {*layer.cross_attn.k_proj.modules(), *layer.cross_attn.v_proj.modules()}
    return [module for module in layer.modules() if isinstance(module, nn.Linear) and module not in of_pictures]
