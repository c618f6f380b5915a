"""What a table row or a bar stands for: the start, a branch at the end of its budget, or SFT stopped early.

SFT stopped early is a checkpoint of the supervised branch. It is chosen after the run and compared like a control.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from shiftgym.evaluation.compare import Part
from shiftgym.evaluation.statistics import first_reaching
from shiftgym.following.declaration import START, BranchInfo
from shiftgym.reports.runs import LoadedRun

EARLY = "stopped early"
"""Name of the entry for the supervised branch stopped early; no branch can have this name, since it contains a
space."""

EARLY_MARGIN = 0.01
"""How far below the reinforced branch it may stop: near the ceiling the last fractions of a point are noise."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A branch at one checkpoint of each run."""

    name: str
    label: str
    part: Part | Literal["start"]
    """What it is in the comparison."""
    branch: str
    fractions: tuple[float, ...]
    """The checkpoint in each run."""


def find_entries(runs: Sequence[LoadedRun]) -> list[Entry]:
    """The start, the branches, the supervised one stopped early, the controls; only what every run has evaluated."""
    found = []
    for branch in runs[0].branches:
        # The end of the budget, or the last checkpoint there is while a branch is still running.
        ends = [max(run.cube.checkpoints(branch.name), default=None) for run in runs]
        fractions = tuple(end for end in ends if end is not None)
        if len(fractions) == len(runs):
            found.append(Entry(branch.name, branch.label, runs[0].part(branch.name), branch.name, fractions))
    early = _stopped_early(runs, found)
    controls = [entry for entry in found if entry.part == "control"]
    return [entry for entry in found if entry.part != "control"] + ([early] if early else []) + controls


def at_checkpoint(run: LoadedRun, branch: BranchInfo, fraction: float) -> Entry:
    """A branch of a single run at one of its checkpoints."""
    return Entry(branch.name, branch.label, run.part(branch.name), branch.name, (fraction,))


def source(run: LoadedRun, branch: BranchInfo) -> Entry | None:
    """The checkpoint that a branch of a single run starts from; None if it is none, or was not evaluated yet."""
    start = run.named.get(branch.start)
    if start is None or branch.name == START:
        return None
    # Milestones that one step passed together share a checkpoint, named after the last of them.
    later = [fraction for fraction in run.cube.checkpoints(start.name) if fraction >= branch.start_at]
    return at_checkpoint(run, start, later[0]) if later else None


def _stopped_early(runs: Sequence[LoadedRun], entries: Sequence[Entry]) -> Entry | None:
    """The first supervised checkpoint that reaches the end of the reinforced branch by the primary measure at home,
    in each run; None if that is the last one everywhere."""
    compare = runs[0].compare
    by_part = {entry.part: entry for entry in entries}
    if not {"supervised", "reinforced"} <= by_part.keys():
        return None
    supervised, reinforced = by_part["supervised"], by_part["reinforced"]
    stops = []
    for run, end in zip(runs, reinforced.fractions, strict=True):

        def rate(branch: str, fraction: float, run: LoadedRun = run) -> float:
            answers = run.cube.answers(compare.measure, branch, fraction, compare.home, compare.decoding)
            return float(np.nanmean(answers))

        fractions = run.cube.checkpoints(supervised.branch)
        curve = [rate(supervised.branch, fraction) for fraction in fractions]
        stops.append(fractions[first_reaching(curve, rate(reinforced.branch, end) - EARLY_MARGIN)])
    if tuple(stops) == supervised.fractions:
        return None
    return Entry(EARLY, f"{supervised.label}, stopped early", "control", supervised.branch, tuple(stops))
