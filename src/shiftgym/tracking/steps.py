"""The points of a branch, a candidate or a training, read from its files while they grow."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from shiftgym.evaluation.measures import MEASURES
from shiftgym.evaluation.statistics import estimate
from shiftgym.following.branch import BranchReader
from shiftgym.following.declaration import Declaration
from shiftgym.layout import BranchFolder
from shiftgym.tracking.base import Point, Tracked

AXES = ("flops", "flops_paper", "fraction")
"""Columns that say how much compute had been spent."""

SECONDS = ("collect", "learn")
"""Columns that are seconds of a step."""

Place = tuple[str, str]
"""Split and decoding."""


class Source(Protocol):
    """Where the points of one run come from."""

    tracked: Tracked
    jobs: Sequence[str]
    """What it is called in `states.json`. A candidate has a job for each checkpoint, `shiftgym train` has none."""

    def state(self) -> str | None:
        """How it ended, `done` or `stopped`; None if that is not known. All that led to the end is there to be read."""

    def new(self) -> tuple[bool, list[Point]]:
        """Whether points are told from the first one again, and those that are new."""


class Branch:
    """A branch of a study with one seed: what training logs, and its checkpoints."""

    def __init__(self, tracked: Tracked, folder: BranchFolder, declared: Declaration) -> None:
        self.tracked = tracked
        self.jobs: Sequence[str] = (tracked.title,)
        self._reader, self._declared = BranchReader(folder), declared
        self._evaluations = Evaluations(declared)

    def state(self) -> str | None:
        done = self._reader.done()
        return str(done["state"]) if done is not None else None

    def new(self) -> tuple[bool, list[Point]]:
        self._reader.find_try()
        anew, steps = _steps(self._reader)
        points = [_step(each) for each in steps] + self._evaluations.new(self._reader)
        if anew:
            # All is told again, the evaluations among it.
            self._evaluations = Evaluations(self._declared)
            self._reader = BranchReader(self._reader.published)
            self._reader.find_try()
            points = [_step(each) for each in _steps(self._reader)[1]] + self._evaluations.new(self._reader)
        return anew, points


class Candidate:
    """A model that has answered at one or several checkpoints.

    Args:
        jobs: the titles of these.
        folders: of these.
    """

    def __init__(
        self, tracked: Tracked, jobs: Sequence[str], folders: Sequence[BranchFolder], declared: Declaration
    ) -> None:
        self.tracked, self.jobs = tracked, jobs
        self._left, self._declared = [BranchReader(folder) for folder in folders], declared

    def state(self) -> str | None:
        return "done" if all(reader.done() is not None for reader in self._left) else None

    def new(self) -> tuple[bool, list[Point]]:
        answered = [reader for reader in self._left if reader.done() is not None]
        self._left = [reader for reader in self._left if reader not in answered]
        return False, [point for reader in answered for point in Evaluations(self._declared).new(reader)]


class Training:
    """What `shiftgym train` logs, step by step.

    Args:
        steps: after so many it is done.
    """

    def __init__(self, tracked: Tracked, folder: BranchFolder, steps: int) -> None:
        self.tracked = tracked
        self.jobs: Sequence[str] = ()
        self._reader, self._whole = BranchReader(folder), steps

    def state(self) -> str | None:
        return "done" if self._reader.last_step().get("step", 0) >= self._whole else None

    def new(self) -> tuple[bool, list[Point]]:
        anew, steps = _steps(self._reader)
        return anew, [_step(each) for each in steps]


class Evaluations:
    """The evaluations of checkpoints, each once, when all of its rows are there."""

    def __init__(self, declared: Declaration) -> None:
        self._declared = declared
        self._asked = [(split, decoding) for split in declared.splits for decoding in declared.decodings]
        self._told: set[int] = set()
        self._rows: dict[int, dict[tuple[Place, int], dict[str, Any]]] = defaultdict(dict)
        """Step -> place and problem -> row, of what is not complete yet."""

    def new(self, reader: BranchReader) -> list[Point]:
        """The checkpoints whose last row has come."""
        more = True
        while more:
            found = reader.new_rows()
            more = found.more
            for row in found.records:
                place = row["split"], row["decoding"]
                # A comparison may have been asked more before. Checkpoints that were told do not change.
                if place in self._asked and row["problem"] < self._declared.problems and row["step"] not in self._told:
                    self._rows[row["step"]][place, row["problem"]] = row
        whole = len(self._asked) * self._declared.problems
        steps = [step for step, rows in self._rows.items() if len(rows) == whole]
        self._told |= {*steps}
        return [self._point(step) for step in steps]

    def _point(self, step: int) -> Point:
        rows: dict[Place, list[dict[str, Any]]] = defaultdict(list)
        for (place, _), row in self._rows.pop(step).items():
            rows[place].append(row)
        first = next(iter(rows.values()))[0]
        return Point(step, evaluated(self._declared, rows), _numbers((name, first[name]) for name in AXES))


def evaluated(declared: Declaration, rows: Mapping[Place, Sequence[Mapping[str, Any]]]) -> dict[str, float]:
    """The values of one checkpoint from its rows: the mean of every measure, and intervals of those of success.

    Keys are `eval/SPLIT/MEASURE` for the decoding that the study compares, and `eval/SPLIT/DECODING/MEASURE` for
    another; `..._low` and `..._high` are the interval over problems.
    """
    values: dict[str, float] = {}
    for (split, decoding), here in rows.items():
        at = f"eval/{split}" if decoding == declared.compare.decoding else f"eval/{split}/{decoding}"
        rated = {view.measure for view in declared.asked(split)}
        for name in MEASURES:
            known = np.array([row[name] for row in here if row.get(name) is not None], float)
            if known.size and name in rated:
                found = estimate(known[None], seed=declared.study["data_seed"])
                values |= {f"{at}/{name}": found.value, f"{at}/{name}_low": found.low, f"{at}/{name}_high": found.high}
            elif known.size:
                values[f"{at}/{name}"] = float(known.mean())
    return values


def _steps(reader: BranchReader) -> tuple[bool, list[dict[str, Any]]]:
    """Whether the steps are read from the first one again, and all new ones."""
    anew, steps, more = False, list[dict[str, Any]](), True
    while more:
        found = reader.new_steps()
        anew, more = anew or found.anew, found.more
        steps = found.records if found.anew else steps + found.records
    return anew, steps


def _step(record: Mapping[str, Any]) -> Point:
    values = _numbers(
        (f"seconds/{name}" if name in SECONDS else f"train/{name}", value)
        for name, value in record.items()
        if name != "step"
    )
    return Point(record["step"], values, _numbers((name, record[name]) for name in AXES if name in record))


def _numbers(values: Iterable[tuple[str, Any]]) -> dict[str, float]:
    """Those that are finite numbers."""
    return {key: value for key, value in values if isinstance(value, int | float) and math.isfinite(value)}
