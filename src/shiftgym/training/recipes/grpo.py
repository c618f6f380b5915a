"""GRPO (Shao et al. 2024, arXiv 2402.03300): the episodes of a problem are the baseline of each other."""

from shiftgym.training.advantages import group_normalised
from shiftgym.training.group import Group


class GRPO(Group):
    """A return minus its group's mean, over the group's standard deviation."""

    name = "grpo"

    def advantages(self, returns: list[float]) -> list[float]:
        return group_normalised(returns)
