"""Which matrices of a decoder a token goes through: what the FLOPs of its layers depend on.

They are found in the modules of the model, so that hybrids, mixtures of experts and shared layers are counted as they
are executed. Matrices that are no weights, such as the states of linear attention, are left out.
"""

import inspect

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from shiftgym.models.crossing import crossing_layers
from shiftgym.models.prefixes import decoder_config, layer_kinds

CHOSEN = ("num_experts_per_tok", "top_k_experts", "moe_top_k", "moe_topk")
"""What configurations call the number of experts that a token goes through."""

ATTENDING = {"hybrid", "global", "local"}
"""Kinds of layers that attend, besides those whose name ends so. A hybrid layer has states too."""


def matrix_weights(model: PreTrainedModel) -> dict[nn.Module, int]:
    """Of each module with matrices in the decoder, the weights that one token is multiplied with. A layer that is used
    several times counts as often, and of experts those that the router chooses. The output embeddings are left out, and
    layers of cross-attention, which only run where a picture is shown (`models/crossing.py`)."""
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    left_out = {head, *(module for layer in crossing_layers(model) for module in layer.modules())}
    found: dict[nn.Module, int] = {}
    for _, module in model.get_decoder().named_modules(remove_duplicate=False):  # type: ignore[no-untyped-call]
        if module in left_out:
            continue
        if isinstance(module, nn.Linear | Conv1D):
            found[module] = found.get(module, 0) + module.weight.numel()
        elif (experts := getattr(module, "num_experts", None)) and not isinstance(experts, nn.Module):
            stacked = [each for each in module.parameters(recurse=False) if each.ndim == 3 and len(each) == experts]
            if stacked:
                share = _chosen(decoder_config(model), module, experts) / experts
                found[module] = found.get(module, 0) + round(sum(each.numel() for each in stacked) * share)
    return found


def _chosen(config: PreTrainedConfig, experts: nn.Module, count: int) -> int:
    """The experts of a layer that a token goes through: those of the router, or all where they are told of no choice,
    as in Llama 4, which multiplies the others by zero."""
    if len(inspect.signature(experts.forward).parameters) == 1:
        return count
    return next((int(getattr(config, name)) for name in CHOSEN if getattr(config, name, None)), count)


def attending_layers(model: PreTrainedModel) -> int:
    """Layers of the decoder that attend to all tokens, and cache keys and values of them."""
    config = decoder_config(model)
    if not getattr(config, "num_attention_heads", None) or (model._is_stateful and not layer_kinds(model)):
        return 0
    alike = config.num_hidden_layers - len(crossing_layers(model))
    kinds = layer_kinds(model) or ["full_attention"] * alike
    return sum(kind in ATTENDING or (kind.endswith("attention") and "linear" not in kind) for kind in kinds)


def attention_width(model: PreTrainedModel) -> int:
    """Heads times head size, summed over the layers of the decoder that attend to all tokens."""
    config = decoder_config(model)
    layers = attending_layers(model)
    if not layers:
        return 0
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    if value_size := getattr(config, "v_head_dim", None):
        # Keys and values of latent attention differ in size; the mean of both counts as much.
        size = (config.qk_nope_head_dim + config.qk_rope_head_dim + value_size) / 2
    return int(layers * heads * size)
