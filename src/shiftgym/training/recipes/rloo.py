"""RLOO (Ahmadian et al. 2024, arXiv 2402.14740): several episodes of a problem are one another's baseline."""

from shiftgym.training.advantages import leave_one_out
from shiftgym.training.group import Group


class RLOO(Group):
    """A return less the mean of the others of its group."""

    name = "rloo"

    def advantages(self, returns: list[float]) -> list[float]:
        return leave_one_out(returns)
