"""Steps that had nothing to learn from: rewards that are all alike prefer no answer to another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ALIKE = "rewards_alike"
"""Key of metrics.jsonl: the share of groups whose rewards are all alike. GRPO and RLOO compare the episodes of one
problem, at each decision; PPO compares all decisions of a step, which so are one group."""

IDLE = 0.5
"""A branch with at least this share of idle steps is told of."""


def alike(groups: Sequence[Sequence[Any]]) -> float:
    """The share of groups whose members are all equal."""
    return sum(all(member == group[0] for member in group) for group in groups) / len(groups)


def is_idle(metrics: Mapping[str, Any]) -> bool:
    """Whether a step had nothing to learn from, by its line of metrics.jsonl: all rewards were alike in each group, or
    no update was made at all."""
    return metrics.get(ALIKE) == 1 or "loss" not in metrics


def idleness(steps: Iterable[Mapping[str, Any]]) -> str | None:
    """`8 of 10 steps had nothing to learn from: all rewards were alike`; None where that holds for less than `IDLE`.

    Args:
        steps: the lines of metrics.jsonl.
    """
    every = list(steps)
    idle = [metrics for metrics in every if is_idle(metrics)]
    if not idle or len(idle) < IDLE * len(every):
        return None
    # A recipe that keeps right answers only, as RFT does, makes no update where there are none.
    why = "all rewards were alike" if any(ALIKE in metrics for metrics in idle) else "no answer could be used"
    return f"{len(idle)} of {len(every)} steps had nothing to learn from: {why}"
