"""The terms of every loss, each a value per token (or per turn) that the recipe averages."""

import torch
from torch import Tensor


def clipped_policy_loss(logprobs: Tensor, old: Tensor, advantages: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """PPO's clipped objective on token-level ratios.

    Args:
        logprobs: (A,) log-probability of each answer token under the model in training.
        old: (A,) the same under the policy that sampled it.

    Returns:
        The loss and whether the clip took the gradient away, both (A,).
    """
    ratios = torch.exp(logprobs - old)
    plain = ratios * advantages
    clipped = ratios.clamp(1 - clip, 1 + clip) * advantages
    return -torch.minimum(plain, clipped), clipped < plain


def kl_divergence(logprobs: Tensor, reference: Tensor) -> Tensor:
    """The estimator k3 of KL(model || reference) at each sampled token: unbiased, never negative, of low variance."""
    difference = reference - logprobs
    return torch.exp(difference) - difference - 1


def exact_kl(log_softmax: Tensor, reference: Tensor) -> Tensor:
    """(A,) KL(model || reference) in nats, of next-token distributions whose (A, V) log-probabilities these are."""
    return (log_softmax.exp() * (log_softmax - reference)).sum(-1)


def value_loss(values: Tensor, returns: Tensor) -> Tensor:
    """(N,) half the squared error of each turn's value."""
    return 0.5 * (values - returns) ** 2
