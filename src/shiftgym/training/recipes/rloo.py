"""RLOO (Ahmadian et al. 2024, arXiv 2402.14740): the episodes of a problem are the baseline of each other."""

from shiftgym.training.advantages import leave_one_out
from shiftgym.training.group import Group


class RLOO(Group):
    """A return minus the mean of the other returns of its group."""

    name = "rloo"

    def advantages(self, returns: list[float]) -> list[float]:
        return leave_one_out(returns)
