"""From a study to its branches: one recipe with one seed each, and what each of them starts from."""

from dataclasses import dataclass
from pathlib import Path

from shiftgym.layout import BranchFolder, RunFolder, branch_title
from shiftgym.studies.config import Study
from shiftgym.studies.tables import BranchTable, Init

START = "init"
"""The name of the short SFT that all branches of a seed start from."""


@dataclass(frozen=True, slots=True)
class PlannedBranch:
    """One recipe from one starting checkpoint with one seed."""

    name: str
    seed: int
    table: Init | BranchTable
    ranks: int = 1
    """Processes that carry it out together."""

    @property
    def title(self) -> str:
        """Branch and seed, as in `ppo-seed0`. Its folder has the same name."""
        return branch_title(self.name, self.seed)

    @property
    def start(self) -> "str | None":
        """Title of the branch that this one starts from; None: from the study's model."""
        if isinstance(self.table, Init) or self.table.start == "model":
            return None
        return branch_title(self.table.start, self.seed)

    def folder(self, run: Path) -> BranchFolder:
        return RunFolder(run).branch(self.title)


def plan(study: Study) -> list[PlannedBranch]:
    """Every branch of a study, in the order in which they are started and their results are written.

    First the short SFT that others start from, then seed by seed, so that an interrupted study has complete seeds to
    compare.
    """

    def planned(name: str, seed: int, table: Init | BranchTable) -> PlannedBranch:
        return PlannedBranch(name, seed, table, table.ranks or study.ranks)

    starts = [planned(START, seed, study.init) for seed in study.seeds]
    return starts + [planned(name, seed, table) for seed in study.seeds for name, table in study.branches.items()]
