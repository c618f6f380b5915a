"""The terms of every loss, each a value per token (or per attempt) that is averaged. They use methods of tensors
only, so that recipes can be imported without torch."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def clipped_policy_loss(
    logprobs: "Tensor", old: "Tensor", advantages: "Tensor", clip: float
) -> "tuple[Tensor, Tensor]":
    """PPO's clipped objective on token-level ratios.

    Args:
        logprobs: (A,) log-probability of each answer token under the model in training.
        old: (A,) the same under the policy that sampled it.
        advantages: (A,) how much better than expected each token was.

    Returns:
        The loss and whether the clip took the gradient away, both (A,).
    """
    ratios = (logprobs - old).exp()
    plain = ratios * advantages
    clipped = ratios.clamp(1 - clip, 1 + clip) * advantages
    return -plain.minimum(clipped), clipped < plain


def kl_divergence(logprobs: "Tensor", reference: "Tensor") -> "Tensor":
    """(A,) the estimator k3 of KL(model || reference) at each sampled token, from (A,) log-probabilities: unbiased,
    never negative, and of low variance."""
    difference = reference - logprobs
    return difference.exp() - difference - 1


def value_loss(values: "Tensor", returns: "Tensor") -> "Tensor":
    """(N,) half the squared error of each attempt's value; both arguments (N,)."""
    return 0.5 * (values - returns) ** 2
