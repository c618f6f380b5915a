"""What the branches of a study ask of the machines they run on, from the model's configuration alone."""

import math
import sys
from dataclasses import dataclass

from shiftgym.studies.config import Study
from shiftgym.studies.footprints import footprints
from shiftgym.studies.plan import plan
from shiftgym.training.footprint import Footprint

PROCESS = 600_000_000
"""Bytes of main memory of a branch's process without its model: torch and transformers as they are imported take 390
MB on a CPU; the rest is for the task, its problems and rows."""

ON_GPU = 2_500_000_000
"""The same of a process that uses a GPU: CUDA's context and libraries."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What one rank of a branch asks for."""

    cpus: float
    """Cores that it keeps busy."""
    gpus: float
    """GPUs, or a share of one."""
    memory: int
    """Bytes of main memory; 0 where nobody knows."""


def branch_needs(study: Study, *, gpus: float, memory: bool) -> dict[str, Needs]:
    """What one rank of each branch asks for, by the name of the branch.

    Args:
        gpus: what a branch gets of a GPU; 0 on a CPU. Ranks of a branch do not share a GPU.
        memory: whether it is planned how much memory they take. This takes seconds, in a process of its own.

    Raises:
        ConfigError: there is no such model, or a branch names parts that the model does not have.
    """
    device = "cuda" if gpus else "cpu"
    planned = footprints(study, device).footprints if memory else {}
    sizes = {name: main_memory(one, device) for name, one in planned.items()}
    return {
        branch.name: Needs(1.0, gpus if branch.ranks == 1 else math.ceil(gpus), sizes.get(branch.name, 0))
        for branch in plan(study)
    }


def main_memory(of: Footprint, device: str) -> int:
    """Bytes of main memory that a rank takes: on a CPU everything. Beside a GPU the model while it is loaded; each of
    several ranks then also has a copy to keep, before they divide both."""
    if device == "cpu":
        return PROCESS + of.peak(sys.maxsize)
    loaded = of.shared.weights + of.own.weights
    return ON_GPU + loaded + (of.shared.weights if of.ranks > 1 and of.over_ranks.copies else 0)
