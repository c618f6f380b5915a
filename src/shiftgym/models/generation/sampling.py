"""Sampling tokens from logits."""

import torch
from torch import Tensor

from shiftgym.errors import TrainingStopped

NOT_FINITE = (
    "a logit is not finite, so there is nothing to sample from; the weights of this model are damaged, or its number "
    "format overflows"
)


def sample(logits: Tensor, temperature: float, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Sample from softmax(logits / temperature) by the inverse of its distribution function; tokens (rows,) and their
    log-probabilities (rows,).

    Args:
        logits: (rows, vocabulary); some may be minus infinity.
        temperature: 0 takes the most likely token.
        noise: (rows,) uniform in [0, 1).

    Raises:
        TrainingStopped: a logit is NaN or infinite.
    """
    token, logprob, finite = draw(logits, temperature, noise)
    if not finite.all():
        raise TrainingStopped(NOT_FINITE)
    return token, logprob


def draw(logits: Tensor, temperature: float, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same without waiting for the device; also whether there was something to sample from, (rows,) bool.

    Where a logit is NaN or infinite the token means nothing, but it is one of the vocabulary.
    """
    scores = logits / (temperature or 1.0)
    largest = scores.amax(-1, keepdim=True)
    # In place, since each copy of a large vocabulary is large.
    scores -= largest
    cumulative = scores.exp()
    cumulative.cumsum_(-1)
    total = cumulative[:, -1:]
    if temperature > 0:
        token = torch.searchsorted(cumulative, noise[:, None] * total, right=True).clamp_(max=logits.shape[-1] - 1)
    else:
        token = scores.argmax(-1, keepdim=True)
    return token[:, 0], (scores.gather(1, token) - total.log())[:, 0], largest.isfinite()[:, 0]
