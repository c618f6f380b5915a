"""Next-token distributions of many tokens over a large vocabulary, of which only a chunk is held at a time."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from shiftgym.models.ledger import HeadTokens

MOST_LOGITS = {"cpu": 2**25, "cuda": 2**27}
"""Logits that are held at the same time, by the type of the device: 128 MiB in float32 on a CPU, 512 MiB elsewhere,
where larger products are faster."""


def chunk_tokens(vocabulary: int, device: str) -> int:
    """Tokens whose logits are held at the same time on a device of this type."""
    return max(1, MOST_LOGITS.get(device, MOST_LOGITS["cuda"]) // vocabulary)


class Distributions:
    """The distributions of A tokens under one model, with gradients if they were on when this was made."""

    def __init__(
        self, states: Tensor, head: Callable[[Tensor], Tensor], *, vocabulary: int, temperature: float
    ) -> None:
        """
        Args:
            states: (A, ...) what `head` makes (A, V) float32 logits of, of each token alone.
            vocabulary: V.
            temperature: what logits are divided by.
        """
        self.states, self.gradient = states, torch.is_grad_enabled()
        self.chunk = chunk_tokens(vocabulary, states.device.type)
        self.head_tokens = HeadTokens(0, 0)
        """How many tokens `head` was applied to so far."""
        self._head, self._temperature = head, temperature

    @cached_property
    def whole(self) -> Tensor:
        """(A, V) float32 log-probabilities."""
        self.head_tokens = self.head_tokens.learned(len(self.states))
        return self.log_softmax(slice(None))

    def log_softmax(self, rows: slice) -> Tensor:
        """(C, V) float32 log-probabilities of a slice of C tokens."""
        states = self.states[rows]
        self.head_tokens = self.head_tokens.read(len(states))
        with torch.set_grad_enabled(self.gradient):
            return torch.log_softmax(self._head(states) / self._temperature, dim=-1)


def per_token(number: Callable[..., Tensor], *models: Distributions) -> Tensor:
    """(A,) one number of each token, with gradients if the first model's distributions have them.

    A x V log-probabilities are held only where they are few. Where they are many, the numbers are computed over chunks
    of tokens, and the backward pass computes the logits of each chunk once more.

    Args:
        number: (C,) of a slice of C tokens and their (C, V) log-probabilities under each model.
    """
    first, *_ = models
    count, size = len(first.states), first.chunk
    with torch.set_grad_enabled(first.gradient):
        if count <= size:
            return number(slice(None), *[each.whole for each in models])
        chunks = [slice(start, min(start + size, count)) for start in range(0, count, size)]
        chunked = _recomputed if first.gradient else _computed
        return torch.cat([chunked(number, rows, *models) for rows in chunks])


def _computed(number: Callable[..., Tensor], rows: slice, *models: Distributions) -> Tensor:
    """(C,) numbers of a chunk."""
    return number(rows, *[each.log_softmax(rows) for each in models])


def _recomputed(number: Callable[..., Tensor], rows: slice, *models: Distributions) -> Tensor:
    """(C,) numbers of a chunk, whose logits the backward pass computes again."""
    passes = 0

    def compute() -> Tensor:
        """(C,), called once, and once more if there is a backward pass."""
        nonlocal passes
        passes += 1
        if passes > 1:
            models[0].head_tokens = models[0].head_tokens.learned(rows.stop - rows.start)
        return _computed(number, rows, *models)

    found: Tensor = checkpoint(compute, use_reentrant=False, preserve_rng_state=False)
    return found
