"""How good an answer was, relative to what could be expected. Plain numbers, no tensors: episodes are short."""

from statistics import fmean, pstdev

TINY = 1e-6
"""Keeps a division by a standard deviation of zero finite."""


def generalised(rewards: list[float], values: list[float], gamma: float, lam: float) -> list[float]:
    """Generalised advantage estimate of each attempt of one episode.

    The estimate ends with the episode: running out of attempts is part of the problem, so nothing is bootstrapped
    after the last attempt.
    """
    advantages: list[float] = []
    advantage = following = 0.0
    for reward, value in zip(reversed(rewards), reversed(values), strict=True):
        advantage = reward + gamma * following - value + gamma * lam * advantage
        following = value
        advantages.append(advantage)
    return advantages[::-1]


def less_attempt_mean(advantages: list[float], numbers: list[int]) -> list[float]:
    """Subtract from each advantage the mean over all advantages of the same attempt number.

    Late attempts are reached only after failures, so their advantages are mostly negative; without this they push down
    tokens that are near certain, and later answers turn into noise.
    """
    members: dict[int, list[float]] = {}
    for advantage, number in zip(advantages, numbers, strict=True):
        members.setdefault(number, []).append(advantage)
    means = {number: fmean(values) for number, values in members.items()}
    return [advantage - means[number] for advantage, number in zip(advantages, numbers, strict=True)]


def scaled(advantages: list[float]) -> list[float]:
    """Divide by the standard deviation over the iteration. The mean is left: it was subtracted attempt by attempt."""
    deviation = pstdev(advantages) + TINY
    return [advantage / deviation for advantage in advantages]


def leave_one_out(returns: list[float]) -> list[float]:
    """RLOO: each return minus the mean of the other returns of its group."""
    total = sum(returns)
    return [value - (total - value) / (len(returns) - 1) for value in returns]


def group_normalised(returns: list[float]) -> list[float]:
    """GRPO: each return minus its group's mean, over its group's standard deviation."""
    mean, deviation = fmean(returns), pstdev(returns) + TINY
    return [(value - mean) / deviation for value in returns]


def explained_variance(values: list[float], returns: list[float]) -> float:
    """Share of the returns' variance that the values account for; 0 where the returns do not vary."""
    variance = pstdev(returns) ** 2
    if variance == 0:
        return 0.0
    errors = [target - value for target, value in zip(returns, values, strict=True)]
    return 1 - pstdev(errors) ** 2 / variance
