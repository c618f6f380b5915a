"""Products of float32 matrices on a GPU whose factors are rounded to ten bits (TF32), for passes that run in bfloat16.

The output embeddings make the largest product of a training pass by far, and float32 weights would have it computed at
a tenth of the speed of the rest. Only this product is rounded: rotary embeddings, for one, have products of positions
that must not be.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def may_round(layer: nn.Module, precision: torch.dtype) -> bool:
    """Whether the product of this layer may be rounded in a pass that runs in this format."""
    if type(layer) is not nn.Linear or layer.bias is not None or precision == torch.float32:
        return False
    return layer.weight.is_cuda and layer.weight.dtype == torch.float32


class RoundedProduct(torch.autograd.Function):
    """(N, V) float32 of states (N, H) and a weight (V, H), which both have gradients."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor) -> Tensor:
        """(N, V) of (N, H) and (V, H)."""
        ctx.save_for_backward(states, weight)
        with _rounding():
            return states @ weight.T

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(N, H) and (V, H) of the gradient (N, V)."""
        states, weight = ctx.saved_tensors
        of_states, of_weight = ctx.needs_input_grad
        with _rounding():
            return gradient @ weight if of_states else None, gradient.T @ states if of_weight else None


@contextmanager
def _rounding() -> Iterator[None]:
    """Within: products of float32 matrices are rounded on a GPU."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
