"""Attention of one new token a row over a store of keys and values, the larger part of what a decode step reads.

`heads / groups` heads share the keys and values of a group. torch's attention with a mask wants them repeated for every
head: with four heads a group that writes and reads four times the store again. So the heads of a group are taken for
four new tokens that see the same columns, and the store is read once, as it lies.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from shiftgym.models.prefixes import decoder_config


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """torch's attention, but for one new token a row the fastest way of the device.

    Args:
        query: (rows, heads, new tokens, size).
        key, value: (rows, groups, width, size).
        attention_mask: (rows or 1, 1, new tokens, width), added to the scores.

    Returns:
        (rows, new tokens, heads, size), and no weights.
    """
    if query.shape[2] > 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    one = by_products if query.device.type == "cpu" else by_kernel
    return one(query, key, value, attention_mask, scaling), None


def by_products(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float) -> Tensor:
    """Two batched products, on a CPU up to twice as fast as torch's attention. (rows, 1, heads, size) for query (rows,
    heads, 1, size), key and value (rows, groups, width, size) and mask (rows or 1, 1, 1, width)."""
    rows, heads, _, size = query.shape
    groups, width = key.shape[1:3]
    hidden = mask.expand(rows, groups, 1, width).reshape(-1, 1, width)
    scores = torch.baddbmm(
        hidden, query.reshape(-1, heads // groups, size), key.flatten(0, 1).transpose(1, 2), alpha=scaling
    )
    weights = torch.softmax(scores, -1, dtype=torch.float32).to(value.dtype)
    return torch.bmm(weights, value.flatten(0, 1)).view(rows, 1, heads, -1)


def by_kernel(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float) -> Tensor:
    """torch's memory-efficient kernel. (rows, 1, heads, size) for query (rows, heads, 1, size), key and value (rows,
    groups, width, size) and mask (rows or 1, 1, 1, width).

    One launch instead of five, and scores stay in float32 where the weights are bfloat16, which batched products would
    round. Flash attention takes no mask. The kernel is named, so that a version of torch with other preferences
    computes the same; what it does not take (a head size that is no multiple of eight) is computed step by step.
    """
    rows, heads, _, size = query.shape
    groups = key.shape[1]
    together = query.reshape(rows, groups, heads // groups, size)
    with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):
        mixed = scaled_dot_product_attention(together, key, value, mask, scale=scaling)
    return mixed.reshape(rows, 1, heads, -1)


AttentionInterface.register("shiftgym", attend)


@contextmanager
def decoding(model: PreTrainedModel) -> Iterator[None]:
    """Within: no dropout, and `attend` in place of every kernel but plain attention: flash kernels take no masks of
    ours. The model is left as it was."""
    config, training = decoder_config(model), model.training
    attention = config._attn_implementation
    model.train(False)
    if attention != "eager":
        config._attn_implementation = "shiftgym"
    try:
        yield
    finally:
        config._attn_implementation = attention
        model.train(training)
