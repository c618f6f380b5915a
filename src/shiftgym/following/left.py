"""Estimates of the time to the end of a branch and of a run.

**What is assumed.** Compute is spent at the pace at which it was spent so far: where half of a branch's compute took an
hour of training steps, the other half takes an hour too. Each checkpoint that is still to come takes as long to be
evaluated as those of this branch did, or where it has none yet, as those of the others. A process's start counts as
evaluation. A branch that has not begun takes as long as the same recipe took, or is going to take, with other seeds; a
recipe that has not begun takes as long as the mean of the others. Branches are begun in their order, each by the worker
that is free first. So an estimate is off where answers become longer in training, where the load of the machine
changes, and where a branch stops early.
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a branch has come, and in what time."""

    name: str
    """The branch, which other seeds share."""
    state: str
    """As in section `branches` of a board."""
    fraction: float
    """How much of its compute is done, from 0 to 1."""
    seconds: float
    """For how long it has run in all."""
    training: float
    """For how long of it it has trained."""
    evaluated: int
    """Checkpoints that were evaluated."""
    checkpoints: int
    """Checkpoints that there will be."""
    start: bool = False
    """Whether it is what others start from, which takes less."""

    @property
    def evaluation(self) -> float | None:
        """Seconds that a checkpoint took beside training; None if there was none."""
        return max(0.0, self.seconds - self.training) / self.evaluated if self.evaluated else None


def time_left(paces: Sequence[Pace]) -> list[float | None]:
    """Seconds until each of the branches has ended, once it runs; None where nothing tells. 0 for one that has ended.

    Args:
        paces: of all branches, in the order in which they are begun.
    """
    known = [pace.evaluation for pace in paces if pace.evaluation is not None]
    usual = fmean(known) if known else 0.0
    left = [_running(pace, usual) for pace in paces]
    whole: dict[str, list[float]] = defaultdict(list)
    for pace, rest in zip(paces, left, strict=True):
        # What failed or was stopped says nothing of how long the others take.
        if rest is not None and pace.state in ("done", "running", "interrupted"):
            whole[pace.name].append(pace.seconds + rest)
    starts = {pace.name for pace in paces if pace.start}
    others = [seconds for name, of in whole.items() if name not in starts for seconds in of]
    for at, pace in enumerate(paces):
        if left[at] is None and (alike := whole.get(pace.name) or (others if not pace.start else [])):
            left[at] = max(0.0, fmean(alike) - pace.seconds)
    return left


def run_left(paces: Sequence[Pace], left: Sequence[float | None], workers: int) -> float | None:
    """Seconds until all branches have ended; None where that of one of them is not known.

    Args:
        paces: of all branches, in the order in which they are begun.
        left: as `time_left` gives it.
        workers: branches that run side by side.
    """
    if any(seconds is None for seconds in left):
        return None
    open_ones = [(pace.state != "running", seconds or 0.0) for pace, seconds in zip(paces, left, strict=True)]
    free = [0.0] * max(1, workers)
    for _, seconds in sorted(open_ones, key=lambda one: one[0]):
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def _running(pace: Pace, usual: float) -> float | None:
    """Of a branch that has begun, by its own pace; None if it has not.

    Args:
        usual: seconds that an evaluation of the run takes.
    """
    if pace.state not in ("running", "waiting", "interrupted"):
        return 0.0
    if not pace.fraction or not pace.training:
        return None
    evaluation = usual if pace.evaluation is None else pace.evaluation
    training = pace.training * (1 - pace.fraction) / pace.fraction
    return training + evaluation * max(0, pace.checkpoints - pace.evaluated)
