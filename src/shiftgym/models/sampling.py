"""Sampling a token from logits. Nothing here waits for the device."""

import torch
from torch import Tensor

NOT_FINITE = (
    "a logit is not finite, so there is nothing to sample from; the weights of this model are damaged, or its number "
    "format overflows"
)


def sample(logits: Tensor, temperature: float, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sample from softmax(logits / temperature) by the inverse of its distribution function.

    Args:
        logits: (rows, vocabulary); some may be minus infinity.
        temperature: 0 takes the most likely token.
        noise: (rows,) uniform in [0, 1).

    Returns:
        Tokens (rows,), their log-probabilities (rows,), and whether there was something to sample from (rows,): false
        where a logit is NaN or infinite. The token of such a row means nothing, but is one of the vocabulary.
    """
    scores = logits / temperature if temperature > 0 else logits
    largest = scores.amax(-1, keepdim=True)
    scores = scores - largest
    cumulative = scores.exp().cumsum(-1)
    total = cumulative[:, -1:]
    if temperature > 0:
        token = torch.searchsorted(cumulative, noise[:, None] * total, right=True).clamp_(max=logits.shape[-1] - 1)
    else:
        token = scores.argmax(-1, keepdim=True)
    return token[:, 0], (scores.gather(1, token) - total.log())[:, 0], largest.isfinite()[:, 0]
